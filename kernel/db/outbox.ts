import { type EventTarget, jsonText, row, sql } from "@plugboard/sdk"
import pg from "pg"
import { Type } from "typebox"
import type { GatewayLog } from "../log.ts"
import type { CommittedEvent } from "./database.ts"
import type { Run } from "./pool.ts"
import { rowTypes } from "./row-types.ts"

const channel = "plugboard"
const Nothing = row(Type.Object({}))

interface OutboxRow {
  upto: string
  /** Null when there is nothing new. */
  id: number | null
  plugin: string
  event: string
  tenant_id: string | null
  target: EventTarget | null
  payload: object
}

/** Rows of one reading. */
const pageLength = 500
/** Events that may wait to be announced to the other nodes while the database is slow or away. */
const announceLimit = 10_000

/** Statement for the events of one commit: rows for the other nodes, and a notice that carries none of them (NOTIFY refuses 8,001 bytes). */
export function outboxQuery(node: string, events: readonly CommittedEvent[]) {
  const rows = events.map(({ plugin, event, tenantId, to, payload }) => ({ plugin, event, tenant_id: tenantId === "" ? null : tenantId, target: to, payload }))
  return sql.type(Nothing)`
    WITH written AS (
      INSERT INTO kernel.outbox (node, plugin, event, tenant_id, to_user, target, payload)
      SELECT ${node}, plugin, event, tenant_id, target->>'userId', target, payload
      FROM jsonb_to_recordset(${jsonText(rows)}::jsonb) AS entry(plugin text, event text, tenant_id uuid, target jsonb, payload jsonb)
    )
    SELECT pg_notify(${channel}, ${node})`
}

/** The way of events to and from the other nodes on one server: rows, read on each notice, and every few seconds in case one was lost. */
export class Outbox {
  readonly #node: string
  readonly #run: Run
  readonly #deliver: (event: CommittedEvent) => void
  readonly #log: GatewayLog
  readonly #config: pg.ClientConfig
  readonly #timers: NodeJS.Timeout[] = []
  /** Undefined while the connection is lost. */
  #client: pg.Client | undefined
  /** What was read: all that this snapshot shows. Ids are given before commits, so an id tells nothing about what is still to appear below it. */
  #snapshot = ""
  #reading: Promise<void> | undefined
  #again = false
  #stopped = false
  #announced: CommittedEvent[] = []
  #announcing = false

  constructor(options: { config: pg.ClientConfig; node: string; run: Run; log: GatewayLog; deliver(event: CommittedEvent): void }) {
    this.#config = options.config
    this.#node = options.node
    this.#run = options.run
    this.#log = options.log
    this.#deliver = options.deliver
  }

  async start(): Promise<void> {
    if (this.#timers.length > 0) return
    await this.#listen()
    // A pooler may swallow notices; other nodes' events arrive within a second all the same.
    this.#every(1_000, () => this.#wake())
    this.#every(180_000, async () => {
      await this.#client?.query("DELETE FROM kernel.outbox WHERE created_at < now() - interval '10 minutes'")
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers) clearInterval(timer)
    await this.#reading?.catch(() => undefined)
    await this.#client?.end().catch(() => undefined)
  }

  /** An event outside any transaction. Events that come while one statement is under way go together with the next. */
  announce(event: CommittedEvent): void {
    if (this.#announced.length < announceLimit) this.#announced.push(event)
    else this.#log.warn({ event: event.event }, "event does not reach the other nodes: too many wait")
    if (!this.#announcing) void this.#announceAll()
  }

  async #announceAll(): Promise<void> {
    this.#announcing = true
    while (this.#announced.length > 0 && !this.#stopped) {
      const events = this.#announced.splice(0, pageLength)
      await this.#run("kernel", outboxQuery(this.#node, events)).catch((err: unknown) => this.#log.warn({ err, events: events.length }, "events do not reach the other nodes"))
    }
    this.#announcing = false
  }

  #every(ms: number, work: () => Promise<void>): void {
    const timer = setInterval(() => void work().catch((err: unknown) => this.#log.debug({ err }, "outbox not reached")), ms)
    timer.unref()
    this.#timers.push(timer)
  }

  /** Reading has a connection of its own, which has logged in as the owner. */
  async #listen(): Promise<void> {
    const client = new pg.Client({ ...this.#config, types: rowTypes, query_timeout: 10_000 })
    client.on("error", () => undefined)
    client.on("notification", ({ payload }) => {
      if (payload !== this.#node) void this.#wake().catch(() => undefined)
    })
    await client.connect()
    await client.query(`LISTEN ${channel}`)
    const { upto } = await readPage(client, this.#node, "", "", 0)
    // What was there before this node is nothing to it; and after a fail-over to a standby that was behind, neither is a snapshot of the future.
    if (this.#snapshot === "" || BigInt(upto.split(":")[1] ?? 0) < BigInt(this.#snapshot.split(":")[0] ?? 0)) this.#snapshot = upto
    client.once("end", () => this.#lost(new Error("connection ended")))
    this.#client = client
  }

  #lost(err: unknown, waitMs = 250): void {
    this.#client = undefined
    if (this.#stopped) return
    this.#log.debug({ err, waitMs }, "not listening for events of other nodes; trying again")
    setTimeout(() => {
      if (this.#stopped) return
      this.#listen().then(
        () => this.#wake().catch(() => undefined),
        (error: unknown) => this.#lost(error, Math.min(waitMs * 2, 10_000)),
      )
    }, waitMs).unref()
  }

  /** One reading at a time; a notice during one asks for another. */
  async #wake(): Promise<void> {
    if (this.#reading) {
      this.#again = true
      return this.#reading
    }
    this.#reading = this.#read()
    try {
      await this.#reading
    } finally {
      this.#reading = undefined
    }
    if (!this.#again || this.#stopped) return
    this.#again = false
    await this.#wake()
  }

  async #read(): Promise<void> {
    const client = this.#client
    if (!client) return
    let upto = ""
    for (let after = 0; ; ) {
      const page = await readPage(client, this.#node, this.#snapshot, upto, after)
      upto = page.upto
      for (const event of page.events) this.#deliver(event)
      if (page.events.length < pageLength) break
      after = page.last
    }
    this.#snapshot = upto
  }
}

/** What one snapshot shows and another does not, without a row twice or left out. Without `upto`: what is shown now. Without `since`: nothing, but where now is. */
async function readPage(client: pg.Client, node: string, since: string, upto: string, after: number): Promise<{ upto: string; events: CommittedEvent[]; last: number }> {
  const { rows } = await client.query<OutboxRow>(
    `SELECT now.upto::text, entry.id, plugin, event, tenant_id::text, coalesce(target, CASE WHEN to_user IS NOT NULL THEN jsonb_build_object('userId', to_user) END) AS target, payload
     FROM (SELECT coalesce(nullif($2, '')::pg_snapshot, pg_current_snapshot()) AS upto, nullif($1, '')::pg_snapshot AS since) AS now
     LEFT JOIN LATERAL (
       SELECT * FROM kernel.outbox
       WHERE written_by >= pg_snapshot_xmin(now.since) AND NOT pg_visible_in_snapshot(written_by, now.since) AND pg_visible_in_snapshot(written_by, now.upto)
         AND node <> $3 AND id > $4
       ORDER BY id LIMIT ${pageLength}
     ) AS entry ON true`,
    [since, upto, node, after],
  )
  const found = rows.filter(({ id }) => id !== null)
  return {
    upto: rows[0]?.upto ?? upto,
    events: found.map(({ plugin, event, tenant_id, target, payload }) => ({ plugin, event, payload, tenantId: tenant_id ?? "", to: target ?? undefined })),
    last: found.at(-1)?.id ?? after,
  }
}
