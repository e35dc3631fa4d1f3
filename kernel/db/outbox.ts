import { row, sql } from "@plugboard/sdk"
import pg from "pg"
import { Type } from "typebox"
import type { GatewayLog } from "../log.ts"
import type { CommittedEvent } from "./database.ts"
import type { Run } from "./pool.ts"

const channel = "plugboard"
const Nothing = row(Type.Object({}))
const OutboxRow = Type.Object({
  id: Type.Integer(),
  plugin: Type.String(),
  event: Type.String(),
  tenant_id: Type.String(),
  to_user: Type.Union([Type.String(), Type.Null()]),
  payload: Type.Object({}, { additionalProperties: true }),
})

/** Statement for the events of one commit: rows for the other nodes, and a notice that carries none of them (NOTIFY refuses 8,001 bytes). */
export function outboxQuery(node: string, events: readonly CommittedEvent[]) {
  const rows = events.map(({ plugin, event, tenantId, to, payload }) => ({ plugin, event, tenant_id: tenantId, to_user: to?.userId ?? null, payload }))
  return sql.type(Nothing)`
    WITH written AS (
      INSERT INTO kernel.outbox (node, plugin, event, tenant_id, to_user, payload)
      SELECT ${node}, plugin, event, tenant_id, to_user, payload
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS entry(plugin text, event text, tenant_id uuid, to_user text, payload jsonb)
    )
    SELECT pg_notify(${channel}, ${node})`
}

/**
 * Events of other nodes: read from the outbox on each notice, and every few seconds in case one was lost.
 * Ids are given before commits, so a row may appear below one that was read already: the last minute is read again, and what was handed over is remembered.
 */
export class OutboxReader {
  readonly #node: string
  readonly #run: Run
  readonly #deliver: (event: CommittedEvent) => void
  readonly #log: GatewayLog
  readonly #seen = new Map<number, number>()
  readonly #uri: string
  #client: pg.Client | undefined
  #reading: Promise<void> | undefined
  #again = false
  #stopped = false
  readonly #timers: NodeJS.Timeout[] = []
  /** True once a connection was found to speak through a pooler: then another server process answers than the one that was greeted. */
  pooled = false

  constructor(options: { uri: string; node: string; run: Run; log: GatewayLog; deliver(event: CommittedEvent): void }) {
    this.#uri = options.uri
    this.#node = options.node
    this.#run = options.run
    this.#log = options.log
    this.#deliver = options.deliver
  }

  async start(): Promise<void> {
    await this.#listen()
    // What was there before this node is nothing to it.
    await this.#read(true)
    const every = (ms: number, work: () => Promise<void>) => {
      const timer = setInterval(() => void work().catch((err) => this.#log.debug({ err }, "outbox not reached")), ms)
      timer.unref()
      this.#timers.push(timer)
    }
    every(5_000, () => this.#wake())
    every(180_000, async () => {
      await this.#run("kernel", sql.type(Nothing)`DELETE FROM kernel.outbox WHERE created_at < now() - interval '10 minutes'`)
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers) clearInterval(timer)
    await this.#reading?.catch(() => undefined)
    await this.#client?.end().catch(() => undefined)
  }

  async #listen(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#uri, connectionTimeoutMillis: 5_000, keepAlive: true })
    client.on("error", () => undefined)
    client.on("notification", ({ payload }) => {
      if (payload !== this.#node) void this.#wake().catch(() => undefined)
    })
    client.once("end", () => this.#lost(client))
    await client.connect()
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")
    this.pooled = rows[0]?.pid !== (client as unknown as { processID: number }).processID
    await client.query(`LISTEN ${channel}`)
    this.#client = client
  }

  #lost(client: pg.Client): void {
    if (this.#stopped || this.#client !== client) return
    this.#client = undefined
    const retry = (waitMs: number) => {
      const timer = setTimeout(() => {
        if (this.#stopped) return
        this.#listen().then(
          () => this.#wake().catch(() => undefined),
          () => retry(Math.min(waitMs * 2, 10_000)),
        )
      }, waitMs)
      timer.unref()
    }
    retry(250)
  }

  /** One read at a time; a notice during one asks for another. */
  #wake(): Promise<void> {
    if (this.#reading) {
      this.#again = true
      return this.#reading
    }
    const reading = this.#read(false).finally(() => {
      this.#reading = undefined
      if (!this.#again || this.#stopped) return
      this.#again = false
      void this.#wake().catch(() => undefined)
    })
    this.#reading = reading
    return reading
  }

  async #read(silently: boolean): Promise<void> {
    const { rows } = await this.#run(
      "kernel",
      sql.type(row(OutboxRow))`
        SELECT id, plugin, event, tenant_id::text, to_user, payload FROM kernel.outbox
        WHERE created_at > now() - interval '60 seconds' AND node <> ${this.#node} ORDER BY id LIMIT 10000`,
    )
    const now = performance.now()
    for (const { id, plugin, event, tenant_id, to_user, payload } of rows) {
      if (this.#seen.has(id)) continue
      this.#seen.set(id, now)
      if (!silently) this.#deliver({ plugin, event, payload, tenantId: tenant_id, to: to_user === null ? undefined : { userId: to_user } })
    }
    for (const [id, at] of this.#seen) {
      if (at > now - 120_000) break
      this.#seen.delete(id)
    }
  }
}
