import { hash } from "node:crypto"
import { type AuditEntry, type Caller, type EventTarget, type Query, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { scriptName, type Who } from "../../db/binding.ts"
import { Carried } from "../../db/carried.ts"
import type { DatabaseInside } from "../../db/database.ts"
import type { Connection } from "../../db/pool.ts"
import { rawQuery } from "../../db/raw-query.ts"

/** What a plugin's transaction is to take along. Who did it, and for which tenant, is not for the plugin to say. */
export interface TxCarried {
  readonly audit: readonly AuditEntry[]
  readonly events: readonly { event: string; payload: object; to?: EventTarget }[]
  readonly jobs: readonly { name: string; data: object }[]
}

const Nothing = row(Type.Object({}))
/** Entries, events and jobs of one transaction, each. */
const most = 1_000

export function carriedOf(plugin: string, caller: Caller, { audit, events, jobs }: TxCarried): Carried {
  for (const [what, list] of Object.entries({ audit, events, jobs })) if (list.length > most) throw new Error(`plugin ${plugin}: more than ${most} ${what} in one transaction`)
  const carried = new Carried()
  for (const entry of audit) carried.audit(plugin, caller, entry)
  for (const { event, payload, to } of events) carried.publish(plugin, event, payload, caller.tenantId, to)
  for (const { name, data } of jobs) carried.jobs.push({ plugin, name, caller, data })
  return carried
}

/** On a connection of the gateway's own: as the kernel, and as the owner for the job queue. */
export function writeAsKernel(inside: DatabaseInside, connection: Connection, carried: Carried): Promise<void> {
  return inside.writeCarried(carried, (query) => connection.run("kernel", query), {
    executeSql: (text, values = []) => connection.run("owner", rawQuery(text, values), values.length === 0 ? scriptName : ""),
  })
}

const registered = new WeakMap<DatabaseInside, Set<string>>()

/** On a connection that has logged in as the plugin: through a function that runs what the owner has registered, for who knows the word. */
export function writeThroughWord(inside: DatabaseInside, who: Who, connection: Connection, carried: Carried): Promise<void> {
  const carry = async (text: string, values: readonly unknown[]) => {
    const id = await register(inside, text)
    await connection.run(who, sql.type(Nothing)`SELECT FROM _sandbox.carry(${inside.roles.word}, ${id}, ${sql.array(values.map(asText), "text")})`)
    return { rows: [], rowCount: 0 }
  }
  // slonik numbers its parameters in its own way until it sends them.
  return inside.writeCarried(carried, (query: Query<object>) => carry(query.sql.replaceAll("$slonik_", "$"), query.values), {
    executeSql: (text, values = []) => carry(text, values),
  })
}

async function register(inside: DatabaseInside, text: string): Promise<string> {
  const known = registered.get(inside) ?? new Set()
  registered.set(inside, known)
  const id = hash("sha256", text, "hex")
  if (!known.has(id)) await inside.pool.run("owner", sql.type(Nothing)`INSERT INTO _sandbox.carried (id, text) VALUES (${id}, ${text}) ON CONFLICT DO NOTHING`)
  known.add(id)
  return id
}

function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  return typeof value === "object" ? JSON.stringify(value) : String(value)
}
