import { existsSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Caller, Grants, Host, Manifest, Plugin } from "@plugboard/sdk"
import type { GatewayConfig } from "../config.ts"
import type { Database } from "../db/database.ts"
import type { GatewayLog } from "../log.ts"
import type { Candidate } from "../plugins/discover.ts"
import type { SecretBox } from "../secrets.ts"
import { type Bridge, createBridge } from "./bridge.ts"
import type { LentCallers } from "./callers.ts"
import { type Facade, isStream, valueOrStream } from "./contract.ts"
import { checkedContribution } from "./contributions.ts"
import { openPluginDb, type PluginDb } from "./db/open.ts"
import { Instance, mustBeWarm, needsProcess } from "./instance.ts"
import { callerIn, OpenCalls, partsOf } from "./parts.ts"
import { Refusals } from "./refusals.ts"

export interface SandboxRooms {
  db: Database
  config: Pick<GatewayConfig, "databaseUrl" | "sandboxMemoryMiB">
  secrets: SecretBox
  log: GatewayLog
  eachTenant(work: (caller: Caller) => Promise<void>): Promise<void>
  /** True for a service that is offered now. */
  hasService(name: string, version: string): boolean
  /** Called at each change of what runs. Returns the way to leave. */
  onChange(listener: () => void): () => void
  /** True when a tenant does without the plugin. */
  isOff(plugin: string, tenantId: string): boolean
}

export interface SandboxedPlugin {
  /** Of the package, unpacked; or an author's folder. */
  folder: string
  manifest: Manifest
  /** File in the folder whose default export is the plugin. */
  entry: string
  build: string
  grants: Grants
  /** True: its process starts with its activation, so that a version that does not come up is not taken for one that does. */
  eager?: boolean
}

/** Longest answer of what a plugin offers or contributes, until its first byte, in ms. */
const facadeLimitMs = 60_000

/** A plugin that runs in a process of its own. Nothing of it is imported here: what it declares comes from its manifest, what it does from its process. */
export function sandboxedCandidate(plugin: SandboxedPlugin, rooms: SandboxRooms): Candidate {
  const { manifest, folder, build } = plugin
  const migrations = join(folder, "migrations", manifest.id)
  return {
    manifest,
    folder,
    migrations: existsSync(migrations) ? migrations : undefined,
    origin: "package",
    // With another limit it is another process.
    build: `${build} ${rooms.config.sandboxMemoryMiB}`,
    load: async () => ({ manifest, activate: (host: Host) => activate(plugin, host, rooms) }) as unknown as Plugin,
  }
}

async function activate({ manifest, folder, entry, grants, eager }: SandboxedPlugin, host: Host, rooms: SandboxRooms) {
  const calls = new OpenCalls()
  const refusals = new Refusals(manifest.id, rooms)
  const undo: (() => void)[] = []
  let db: Promise<PluginDb> | undefined
  const openDb = () => {
    db ??= openPluginDb(rooms, manifest.id)
    db.catch(() => {
      db = undefined
    })
    return db
  }
  const services = () => (manifest.requires ?? []).filter(({ service, version }) => rooms.hasService(service, version)).map(({ service }) => service)
  const instance: Instance = new Instance({
    manifest,
    host,
    folder,
    memoryMiB: rooms.config.sandboxMemoryMiB,
    init: () => ({ manifest, config: host.config, entry: pathToFileURL(join(folder, entry)).href, grants, node: host.node, services: services() }),
    bridge: (callers: LentCallers): Bridge =>
      createBridge({ manifest, grants, host, callers, db: openDb, refused: (what, caller) => refusals.note(what, caller), tenants: () => tenantsOf(manifest.id, rooms) }),
    inTransaction: () => rooms.db.inTransaction(),
    told(method, args) {
      if (method !== "emit") return false
      calls.emit(args)
      return true
    },
    ready: () => instance.tell("services", [services()]),
  })
  undo.push(rooms.onChange(() => instance.tell("services", [services()])))
  const stop = async () => {
    for (const end of undo) end()
    await instance.stop()
    await (await db?.catch(() => undefined))?.close()
  }
  async function comeUp(): Promise<void> {
    const { offers, contributions, events } = await instance.start()
    for (const { service, version, facade } of offers) host.offer({ service, version }, proxyOf(instance, `service ${service}`, facade))
    for (const { point, version, key, facade } of contributions) {
      if (!grants.points.includes(point)) throw refusals.error(`contributions to ${point}`)
      host.contribute({ point, version }, key, proxyOf(instance, `${point} ${key}`, checkedContribution(point, key, facade)))
    }
    for (const event of events) {
      if (!manifest.events?.[event] && !grants.events.includes(event)) throw refusals.error(`the event ${event}`)
      host.events.subscribe(event, (payload: never, { tenantId }: { tenantId: string }) => {
        if (!rooms.isOff(manifest.id, tenantId)) instance.tell("event", [event, payload, tenantId])
      })
    }
  }
  try {
    if (eager || needsProcess(manifest)) await comeUp()
    // A request would fail for the time that its first start takes. Nobody waits for it here: what goes wrong is logged, and told at the first call.
    else if (mustBeWarm(manifest)) instance.start().catch(() => undefined)
  } catch (error) {
    // Nobody will stop what has not been activated.
    await stop()
    throw error
  }
  const parts = partsOf(manifest, instance, calls, host.log)
  return {
    ...parts,
    condition: () => instance.condition(),
    stop,
  }
}

/** What the plugin offers, as others use it: its data as they were when it came up, its methods in its process. */
function proxyOf(instance: Instance, key: string, { data, methods }: Facade): object {
  const method = (name: string) =>
    function callFacade(...args: unknown[]) {
      const last = args.at(-1)
      const signal = last instanceof AbortSignal ? last : undefined
      const values = signal ? args.slice(0, -1) : args
      const caller = callerIn(values)
      return valueOrStream(() =>
        instance.call("facade", (lent) => [key, name, lent ? values.map((value) => lentIn(value, caller, lent)) : values], {
          caller,
          signal,
          limitMs: facadeLimitMs,
          keep: (answer) => (isStream(answer) ? { source: answer, wrap: (stream) => stream } : undefined),
        }),
      )
    }
  return { ...data, ...Object.fromEntries(methods.map((name) => [name, method(name)])) }
}

function lentIn(value: unknown, caller: Caller | undefined, lent: Caller): unknown {
  if (value === caller) return lent
  if (typeof value === "object" && value !== null && (value as { caller?: unknown }).caller === caller) return { ...value, caller: lent }
  return value
}

async function tenantsOf(plugin: string, { eachTenant, isOff }: SandboxRooms): Promise<Caller[]> {
  const found: Caller[] = []
  await eachTenant(async (caller) => {
    if (!isOff(plugin, caller.tenantId)) found.push(caller)
  })
  return found
}
