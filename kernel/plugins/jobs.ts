import { AsyncLocalStorage } from "node:async_hooks"
import type { Caller, JobDecl } from "@plugboard/sdk"
import type { Job, PgBoss } from "pg-boss"
import type { JobStore } from "../db/open.ts"
import type { GatewayLog } from "../log.ts"

/** Runs for each tenant that has the plugin on. */
type EachTenant = (plugin: string, work: (caller: Caller) => Promise<void>) => Promise<void>

export interface ActiveJob {
  plugin: string
  name: string
  decl: JobDecl
  run: (data: object, caller: Caller, signal: AbortSignal) => Promise<void>
}

interface Envelope {
  job: string
  caller: Caller | null
  data: object
}

/** All jobs wait in one queue: each queue costs a polling statement every few seconds. */
const queue = "plugboard"

/**
 * Durable jobs and cron on pg-boss, on either database. It is imported and started with the first job that a plugin declares.
 * A job keeps the caller that enqueued it; a job on a schedule runs once per cluster and tenant, as the system.
 */
export class Jobs {
  readonly #store: JobStore
  readonly #log: GatewayLog
  readonly #eachTenant: EachTenant
  #active: ReadonlyMap<string, ActiveJob> = new Map()
  #boss: Promise<PgBoss> | undefined
  #begun = false
  readonly #stopping = new AbortController()
  /** What the queue goes on doing must not be taken for a part of the transaction in which it was first needed. */
  readonly #outside = AsyncLocalStorage.snapshot()

  constructor(store: JobStore, log: GatewayLog, eachTenant: EachTenant) {
    this.#store = store
    this.#log = log
    this.#eachTenant = eachTenant
  }

  /** From now on there may be a worker. A gateway listens before it has one: to read pg-boss and to start it takes a tenth of a second. */
  begin(): void {
    this.#begun = true
    this.use([...this.#active.values()])
  }

  /** The jobs of the plugins that are active now. The worker starts aside, when there is one to run. */
  use(jobs: readonly ActiveJob[]): void {
    this.#active = new Map(jobs.map((job) => [`${job.plugin}.${job.name}`, job]))
    if (this.#active.size === 0 || !this.#begun) return
    this.#schedule(jobs).catch((err: unknown) => {
      if (this.#stopping.signal.aborted) return
      this.#log.warn({ err }, "job queue not started; it tries again")
      setTimeout(() => this.use(jobs), 10_000).unref()
    })
  }

  async #schedule(jobs: readonly ActiveJob[]): Promise<void> {
    const boss = await this.#started()
    const scheduled = new Map(jobs.filter((job) => job.decl.cron).map((job) => [`${job.plugin}.${job.name}`, job]))
    for (const { key } of await boss.getSchedules(queue)) if (!scheduled.has(key)) await boss.unschedule(queue, key)
    for (const [key, { decl }] of scheduled) await boss.schedule(queue, decl.cron as string, { job: key, caller: null, data: {} } satisfies Envelope, { key, tz: "UTC" })
  }

  /** `store` is the connection of a transaction when the job belongs to one. */
  async enqueue(job: ActiveJob, caller: Caller, data: object, options: { afterSeconds?: number; key?: string } = {}, store?: JobStore): Promise<void> {
    const boss = await this.#started()
    const envelope: Envelope = { job: `${job.plugin}.${job.name}`, caller, data }
    await boss.send(queue, envelope, {
      startAfter: options.afterSeconds,
      singletonKey: options.key,
      retryLimit: job.decl.retries ?? 3,
      retryBackoff: true,
      expireInSeconds: job.decl.timeoutSeconds ?? 300,
      ...(store && { db: { executeSql: (text: string, values?: unknown[]) => store.executeSql(text, values) as Promise<{ rows: never[] }> } }),
    })
  }

  /** Once the queue has started, if there is work for it. Its statements need a connection, which on the embedded database is everybody's. */
  async settled(): Promise<void> {
    if (this.#active.size > 0) await this.#started().catch(() => undefined)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    const boss = await this.#boss?.catch(() => undefined)
    await boss?.stop({ graceful: true, timeout: 5_000 })
  }

  #started(): Promise<PgBoss> {
    this.#boss ??= this.#outside(() => this.#start()).catch((error) => {
      this.#boss = undefined
      throw error
    })
    return this.#boss
  }

  async #start(): Promise<PgBoss> {
    const { PgBoss } = await import("pg-boss")
    const boss = new PgBoss({
      db: { executeSql: (text, values) => this.#store.executeSql(text, values) as Promise<{ rows: never[] }> },
      schema: "pgboss",
      cronMonitorIntervalSeconds: 45,
    })
    boss.on("error", (error) => this.#log.warn({ err: error }, "job queue failed; it tries again"))
    await boss.start()
    await boss.createQueue(queue)
    await boss.work<Envelope>(queue, { pollingIntervalSeconds: 2, batchSize: 8 }, async (jobs) => {
      await Promise.all(jobs.map((job) => this.#run(job)))
    })
    return boss
  }

  async #run({ id, data: envelope, signal }: Job<Envelope>): Promise<void> {
    const job = this.#active.get(envelope.job)
    if (!job) {
      this.#log.info({ job: envelope.job, id }, "job skipped: its plugin is off")
      return
    }
    const ends = AbortSignal.any([this.#stopping.signal, ...(signal ? [signal] : [])])
    if (envelope.caller) return job.run(envelope.data, envelope.caller, ends)
    await this.#eachTenant(job.plugin, (caller) => job.run(envelope.data, caller, ends))
  }
}
