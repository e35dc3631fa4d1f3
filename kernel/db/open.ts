import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { type Caller, type Queries, type Query, row, sql, type TenantDb, type Tx } from "@plugboard/sdk"
import { Type } from "typebox"
import { ConfigError, type GatewayConfig } from "../config.ts"
import type { GatewayLog } from "../log.ts"
import { type Roles, scriptName, type Who } from "./binding.ts"
import { Carried, type CarriedJob } from "./carried.ts"
import type { CommittedEvent, Database, KernelDb } from "./database.ts"
import { type DriverOptions, sessionOpener } from "./driver.ts"
import { FolderHeld, lockFolder } from "./embedded/lock.ts"
import { templatePath } from "./embedded/template.ts"
import { startThread } from "./embedded/thread.ts"
import { Migrations } from "./migrate.ts"
import { Outbox, outboxQuery } from "./outbox.ts"
import { embeddedLimits } from "./plugin-limits.ts"
import { openPool, type Result } from "./pool.ts"
import { rawQuery } from "./raw-query.ts"
import { ensureRoles } from "./roles.ts"
import { serverConfig } from "./server.ts"
import { Transactions } from "./transactions.ts"

/** Statements as the owner, for the job queue. */
export interface JobStore {
  executeSql(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>
}
export type Enqueue = (job: CarriedJob, store: JobStore) => Promise<void>

export interface OpenOptions {
  config: Pick<GatewayConfig, "databaseUrl" | "dataDir" | "poolSize" | "statementTimeoutMs">
  log: GatewayLog
  /** True: each row is checked against the schema of its query. For tests. */
  checkRows: boolean
  /** True for a gateway, which alone has its data folder, whatever the database: two of one folder would take each other's runs. */
  gateway?: boolean
  /** True: every bundled plugin is on, so that a new embedded folder may have the tables of all. */
  whole?: boolean
}

const Nothing = row(Type.Object({}))

/** Opens the database that the configuration names. Rejects with a ConfigError when another process holds the embedded one's folder. */
export async function openDatabase(options: OpenOptions): Promise<Database> {
  const { config, log } = options
  const source = config.databaseUrl === undefined ? await openEmbedded(config, options.whole ?? false, log) : openServer(config.databaseUrl, config, options.gateway ?? false)
  // Filled in before the first query that needs them: making them needs queries.
  const roles: { -readonly [K in keyof Roles]: string } = { app: "", kernel: "", word: "" }
  const statements = { count: 0, last: "" }
  const onStatement = (text: string) => {
    statements.count += 1
    statements.last = text
  }
  const pool = await openPool({
    open: sessionOpener({ ...source.connection, roles, onStatement, statementTimeoutMs: config.statementTimeoutMs, pluginLimits: embeddedLimits }),
    size: source.poolSize,
    checkRows: options.checkRows,
  })
  const node = randomUUID()
  const listeners: ((event: CommittedEvent) => void)[] = []
  function deliver(event: CommittedEvent): void {
    for (const listener of listeners) {
      try {
        listener(event)
      } catch (err) {
        // What it is told has been committed: its failure is nobody else's.
        log.error({ err, event: event.event }, "listener to committed events failed")
      }
    }
  }
  const outbox = source.kind === "server" ? new Outbox({ config: source.connection.config, node, run: pool.run, log, deliver }) : undefined
  const transactions = new Transactions(pool)
  let enqueue: Enqueue = () => Promise.reject(new Error("the job queue is not there"))
  let queueSettled: (() => Promise<void>) | undefined
  let closing: Promise<void> | undefined
  async function closeAll(): Promise<void> {
    await outbox?.stop()
    await pool.end()
    await source.close()
  }
  const close = () => (closing ??= closeAll())
  try {
    Object.assign(roles, await ensureRoles(pool))
  } catch (error) {
    await close()
    throw error
  }
  const migrations = new Migrations(pool, roles, log)
  const unbound = transactions.queries("app:")
  const kernelQueries = transactions.queries("kernel")

  /** One transaction and what it carries: entries, events and jobs go with its last statements; events are told after the commit. */
  async function carrying<T>(who: Who, work: (queries: Queries, carried: Carried) => Promise<T>): Promise<T> {
    // A job of it would wait for a queue that waits for the one connection.
    if (queueSettled && source.kind === "embedded" && !transactions.inside) await queueSettled()
    return transactions.transaction(who, async (queries) => {
      const carried = new Carried()
      const value = await work(queries, carried)
      await writeCarried(carried, (query) => transactions.run(who, query), { executeSql })
      transactions.afterCommit(() => carried.events.forEach(deliver))
      return value
    })
  }

  async function writeCarried(carried: Carried, run: (query: Query<object>) => Promise<Result<object>>, store: JobStore): Promise<void> {
    await carried.writeAudit(run)
    if (outbox && carried.events.length > 0) await run(outboxQuery(node, carried.events))
    for (const job of carried.jobs) await enqueue(job, store)
  }

  /** A text without values may hold several statements. */
  function executeSql(text: string, values: readonly unknown[] = []): Promise<{ rows: unknown[] }> {
    return transactions.runAsOwner(rawQuery(text, values), values.length === 0 ? scriptName : "")
  }

  const kernel: KernelDb = {
    ...kernelQueries,
    transaction: (work) =>
      carrying("kernel", (queries, carried) =>
        work({
          ...queries,
          audit: (caller, entry) => carried.audit("kernel", caller, entry),
          publish: (event, payload, tenantId = "") => carried.publish("kernel", event, payload, tenantId),
        }),
      ),
  }

  return {
    kind: source.kind,
    kernel,
    unbound,
    statements,
    tenant(plugin: string, caller: Caller): TenantDb {
      const who: Who = `app:${caller.tenantId}`
      const queries: Queries = transactions.queries(who)
      return {
        ...queries,
        transaction: (work) =>
          carrying(who, (own, carried) => {
            const tx: Tx = {
              ...own,
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
      if (migration.id === "kernel") await outbox?.start()
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
      outbox?.announce(event)
    },
    inTransaction: () => transactions.inside,
    executeSql,
    setEnqueuer(fn, settled) {
      enqueue = fn
      queueSettled = settled
    },
    inside: { pool, roles, migrations, onStatement, writeCarried, deliver, queueSettled: async () => queueSettled?.() },
    close,
  }
}

interface Source {
  kind: Database["kind"]
  connection: Pick<DriverOptions, "config" | "stream" | "onSilence" | "silenceMs">
  poolSize: number
  close(): Promise<void>
}

function openServer(uri: string, config: OpenOptions["config"], gateway: boolean): Source {
  const unlock = gateway ? holdFolder(config.dataDir, "or set PLUGBOARD_DATA_DIR to another folder: each gateway on one PostgreSQL has its own.") : () => undefined
  return {
    kind: "server",
    // The server ends a statement past its limit itself; this is for one that has fallen silent.
    connection: { config: serverConfig(uri), silenceMs: config.statementTimeoutMs + 3_000 },
    poolSize: config.poolSize,
    close: async () => unlock(),
  }
}

async function openEmbedded(config: OpenOptions["config"], whole: boolean, log: GatewayLog): Promise<Source> {
  const unlock = holdFolder(config.dataDir, "set PLUGBOARD_DATA_DIR to another folder, or set DATABASE_URL to share one PostgreSQL.")
  try {
    const folder = join(config.dataDir, "db")
    const template = existsSync(folder) ? undefined : templatePath(whole)
    const thread = await startThread(folder, template, log)
    return {
      kind: "embedded",
      connection: {
        // It has one user and one database. Its thread may be reopening the folder after a crash.
        config: { host: "embedded", user: "postgres", database: "postgres", ssl: false, connectionTimeoutMillis: 30_000 },
        stream: thread.connect,
        silenceMs: config.statementTimeoutMs,
        onSilence: thread.restart,
      },
      poolSize: 1,
      async close() {
        await thread.close()
        unlock()
      },
    }
  } catch (error) {
    unlock()
    throw error
  }
}

function holdFolder(dataDir: string, remedy: string): () => void {
  try {
    return lockFolder(dataDir)
  } catch (error) {
    throw error instanceof FolderHeld ? new ConfigError(`${error.message} Stop that gateway, ${remedy}`) : error
  }
}
