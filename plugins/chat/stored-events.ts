import { type Caller, type Host, jsonText, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { manifest } from "./manifest.ts"
import type { Run } from "./run.ts"
import type { RunEvent } from "./run-log.ts"

/** Between two writes of what runs have told. A run that ends sooner writes nothing. */
const everyMs = 100
const Nothing = row(Type.Object({}))
const Batch = Type.Object({
  first_seq: Type.Integer(),
  events: Type.Array(Type.Object({ seq: Type.Integer(), type: Type.String(), payload: Type.Optional(Type.Record(Type.String(), Type.Unknown())) })),
})

/** Writes what long runs have told, one statement a tenant and round, and removes it when they have ended. Off the path of every turn: a failure costs a rejoining client some deltas, and nothing else. */
export function createStoredEvents(host: Host<typeof manifest>) {
  const written = new Map<Run, number>()
  const ended = new Map<string, { caller: Caller; runIds: string[] }>()
  let timer: NodeJS.Timeout | undefined
  let writing = false

  async function write(): Promise<void> {
    const tenants = new Map<string, { caller: Caller; rows: object[] }>()
    for (const [run, from] of written) {
      const events = run.log.events.slice(from)
      if (events.length === 0) continue
      written.set(run, from + events.length)
      const tenant = tenants.get(run.caller.tenantId) ?? { caller: run.caller, rows: [] }
      tenant.rows.push({ run_id: run.id, first_seq: from, user_id: run.caller.userId, events })
      tenants.set(run.caller.tenantId, tenant)
    }
    for (const { caller, rows } of tenants.values()) {
      await host.db.for(caller).query(sql.type(Nothing)`
        INSERT INTO chat.run_events (run_id, first_seq, user_id, events)
        SELECT run_id, first_seq, user_id, events FROM jsonb_to_recordset(${jsonText(rows)}::jsonb) AS b(run_id uuid, first_seq integer, user_id text, events jsonb)
        ON CONFLICT DO NOTHING`)
    }
    for (const [tenantId, { caller, runIds }] of [...ended]) {
      ended.delete(tenantId)
      await host.db.for(caller).query(sql.type(Nothing)`DELETE FROM chat.run_events WHERE run_id = ANY(${sql.array(runIds, "uuid")})`)
    }
  }

  function arm(): void {
    if (timer || (written.size === 0 && ended.size === 0)) return
    timer = setTimeout(() => {
      timer = undefined
      if (writing) return arm()
      writing = true
      write()
        .catch((err: unknown) => host.log.debug({ err }, "run events not stored"))
        .finally(() => {
          writing = false
          arm()
        })
    }, everyMs)
    timer.unref()
  }

  return {
    follow(run: Run): void {
      written.set(run, 0)
      arm()
    },
    forget(run: Run): void {
      const from = written.get(run) ?? 0
      written.delete(run)
      if (from === 0) return
      const tenant = ended.get(run.caller.tenantId) ?? { caller: run.caller, runIds: [] }
      tenant.runIds.push(run.id)
      ended.set(run.caller.tenantId, tenant)
      arm()
    },
    /** At most `limit` of what is stored of a run from a number on; empty when it has ended. Who may read it has been decided before. */
    async read(caller: Caller, runId: string, from: number, limit: number): Promise<RunEvent[]> {
      // A batch holds at least one event; the one before `from` may reach into it.
      const batches = await host.db.for(caller).any(sql.type(row(Batch))`
        SELECT first_seq, events FROM chat.run_events
        WHERE run_id = ${runId} AND first_seq >= coalesce((SELECT max(first_seq) FROM chat.run_events WHERE run_id = ${runId} AND first_seq <= ${from}), 0)
        ORDER BY first_seq LIMIT ${limit + 1}`)
      return batches
        .flatMap(({ events }) => events)
        .filter(({ seq }) => seq >= from)
        .slice(0, limit)
    },
    async stop(): Promise<void> {
      clearTimeout(timer)
      await write().catch(() => undefined)
    },
  }
}
