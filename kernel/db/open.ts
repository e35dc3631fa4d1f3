import { join } from "node:path"
import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import { type Caller, type Queries, type Query, row, sql, type TenantDb, type Tx } from "@plugboard/sdk"
import { createPgDriverFactory } from "@slonik/pg-driver"
import pg from "pg"
import { createSqlTag } from "slonik"
import { Type } from "typebox"
import type { GatewayConfig } from "../config.ts"
import type { GatewayLog } from "../log.ts"
import { type Roles, scriptName, type Who, withBinding } from "./binding.ts"
import { Carried, type CarriedJob } from "./carried.ts"
import type { CommittedEvent, Database, KernelDb } from "./database.ts"
import { embeddedDriver } from "./embedded/driver.ts"
import { lockFolder } from "./embedded/lock.ts"
import { templateArchive } from "./embedded/template.ts"
import { startThread } from "./embedded/thread.ts"
import { Migrations } from "./migrate.ts"
import { OutboxReader, outboxQuery } from "./outbox.ts"
import { openPool } from "./pool.ts"
import { ensureRoles } from "./roles.ts"
import { Transactions } from "./transactions.ts"

export interface OpenOptions {
  config: Pick<GatewayConfig, "databaseUrl" | "dataDir" | "poolSize" | "statementTimeoutMs">
  log: GatewayLog
  /** True: each row is checked against the schema of its query. For tests. */
  checkRows: boolean
}

const Nothing = row(Type.Object({}))

/** Opens the database that the configuration names. Rejects with a ConfigError when another process holds the embedded one's folder. */
export async function openDatabase(options: OpenOptions): Promise<Database> {
  const { config, log } = options
  const server = config.databaseUrl !== undefined
  const source = server ? openServer(config.databaseUrl as string) : await openEmbedded(config, log)
  // Filled in before the first query that needs them: making them needs queries.
  const roles: { -readonly [K in keyof Roles]: string } = { app: "", kernel: "" }
  const statements = { count: 0, last: "" }
  const binding = {
    roles,
    pooled: false,
    onStatement(text: string) {
      statements.count += 1
      statements.last = text
    },
  }
  const pool = await openPool({
    uri: config.databaseUrl ?? "postgres://embedded",
    driverFactory: withBinding(source.driverFactory, binding),
    size: server ? config.poolSize : 1,
    statementTimeoutMs: config.statementTimeoutMs,
    checkRows: options.checkRows,
  })
  const node = randomUUID()
  const listeners: ((event: CommittedEvent) => void)[] = []
  const deliver = (event: CommittedEvent) => {
    for (const listener of listeners) listener(event)
  }
  const outbox = server ? new OutboxReader({ uri: config.databaseUrl as string, node, run: pool.run, log, deliver }) : undefined
  const transactions = new Transactions(pool)
  // The protocol of the pool's connections takes one statement a text.
  const scripts = server ? new pg.Pool({ connectionString: config.databaseUrl, max: 1, idleTimeoutMillis: 1_000 }).on("error", () => undefined) : undefined
  let enqueue: Enqueue = () => Promise.reject(new Error("the job queue is not there"))
  const close = async () => {
    await outbox?.stop()
    await scripts?.end()
    await pool.end()
    await source.close()
  }
  try {
    Object.assign(roles, await ensureRoles(pool.run))
  } catch (error) {
    await close()
    throw error
  }
  const migrations = new Migrations(pool, roles, log)
  const unbound = transactions.queries("app:")
  const kernelQueries = transactions.queries("kernel")

  /** One transaction and what it carries: entries, events and jobs go with its last statements; events are told after the commit. */
  async function carrying<T>(who: Who, plugin: string, work: (carried: Carried) => Promise<T>): Promise<T> {
    return transactions.transaction(who, async () => {
      const carried = new Carried()
      const value = await work(carried)
      await carried.writeAudit((query) => transactions.run(who, query))
      if (outbox && carried.events.length > 0) await transactions.run(who, outboxQuery(node, carried.events))
      for (const job of carried.jobs) await enqueue(job, { executeSql })
      transactions.afterCommit(() => carried.events.forEach(deliver))
      return value
    })
  }

  /** A text without values may hold several statements. */
  async function executeSql(text: string, values: readonly unknown[] = []): Promise<{ rows: unknown[] }> {
    if (values.length === 0 && scripts && !transactions.inside) return { rows: [(await scripts.query(text)) as unknown as pg.QueryResult].flat().flatMap((result) => result.rows) }
    return transactions.runAsOwner(rawQuery(text, values), values.length === 0 ? scriptName : "")
  }

  const kernel: KernelDb = {
    ...kernelQueries,
    transaction: (work) =>
      carrying("kernel", "kernel", (carried) =>
        work({
          ...kernelQueries,
          audit: (caller, entry) => carried.audit("kernel", caller, entry),
          publish: (event, payload, tenantId = "") => carried.publish("kernel", event, payload, tenantId),
        }),
      ),
  }

  return {
    kind: server ? "server" : "embedded",
    kernel,
    unbound,
    statements,
    tenant(plugin: string, caller: Caller): TenantDb {
      const who: Who = `app:${caller.tenantId}`
      const queries: Queries = transactions.queries(who)
      return {
        ...queries,
        transaction: (work) =>
          carrying(who, plugin, (carried) => {
            const tx: Tx = {
              ...queries,
              audit: (entry) => carried.audit(plugin, caller, entry),
              publish: (event, payload, to) => carried.publish(plugin, event, payload, caller.tenantId, to),
              enqueue: (name, data) => carried.jobs.push({ plugin, name, caller, data }),
            }
            return work(tx)
          }),
      }
    },
    async migrate(migration) {
      const result = await migrations.apply(migration)
      // The outbox can be read once the kernel's tables are there.
      if (migration.id === "kernel" && outbox) {
        await outbox.start()
        binding.pooled = outbox.pooled
      }
      return result
    },
    async ping() {
      const limit = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 1_000).unref())
      const answer = pool.run("app:", sql.type(Nothing)`SELECT 1`).then(
        () => true,
        () => false,
      )
      return Promise.race([answer, limit])
    },
    onCommitted: (listener) => void listeners.push(listener),
    announce(event) {
      deliver(event)
      if (outbox) pool.run("kernel", outboxQuery(node, [event])).catch((err: unknown) => log.warn({ err, event: event.event }, "event did not reach the other nodes"))
    },
    inTransaction: () => transactions.inside,
    executeSql,
    setEnqueuer(fn) {
      enqueue = fn
    },
    close,
  }
}

export type Enqueue = (job: CarriedJob, store: { executeSql(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }> }) => Promise<void>

function openServer(uri: string) {
  // The driver makes each connection with the pool's settings, `statement_timeout` among them.
  if (!/^postgres(ql)?:\/\//.test(uri)) throw new Error("DATABASE_URL must begin with postgres://")
  return { driverFactory: createPgDriverFactory(), close: async () => undefined }
}

async function openEmbedded(config: OpenOptions["config"], log: GatewayLog) {
  const unlock = lockFolder(config.dataDir)
  try {
    const folder = join(config.dataDir, "db")
    const template = existsSync(join(folder, "PG_VERSION")) ? undefined : templateArchive()
    const thread = await startThread({ folder, template, statementTimeoutMs: config.statementTimeoutMs, log })
    return {
      driverFactory: embeddedDriver(thread),
      close: async () => {
        await thread.close()
        unlock()
      },
    }
  } catch (error) {
    unlock()
    throw error
  }
}

const rawTag = createSqlTag()

/** SQL that is text already: the job queue writes its own. */
function rawQuery(text: string, values: readonly unknown[]): Query<Record<string, unknown>> {
  return { ...rawTag.unsafe``, sql: text, values } as unknown as Query<Record<string, unknown>>
}
