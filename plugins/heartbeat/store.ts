import { type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import type { Settings } from "./settings.ts"

const Text = Type.String()
const Whole = Type.Integer()
const Nullable = Type.Union([Text, Type.Null()])
const HeartbeatRow = Type.Object({
  id: Text,
  agent_id: Text,
  user_id: Text,
  user_role: Text,
  enabled: Type.Boolean(),
  interval_sec: Whole,
  prompt: Text,
  provider_name: Text,
  model: Text,
  isolated_session: Type.Boolean(),
  light_context: Type.Boolean(),
  ack_max_chars: Whole,
  max_retries: Whole,
  active_hours_start: Text,
  active_hours_end: Text,
  timezone: Text,
  channel: Text,
  chat_id: Text,
  next_run_at: Nullable,
  last_run_at: Nullable,
  last_status: Nullable,
  last_error: Nullable,
  run_count: Whole,
  suppress_count: Whole,
  by_hand: Type.Boolean(),
  created_at: Text,
  updated_at: Text,
})
export type HeartbeatRow = Static<typeof HeartbeatRow>

const columns = sql.fragment`id, agent_id, user_id, user_role, enabled, interval_sec, prompt, provider_name, model, isolated_session, light_context, ack_max_chars, max_retries, active_hours_start,
  active_hours_end, timezone, channel, chat_id, next_run_at, last_run_at, last_status, last_error, run_count, suppress_count, by_hand, created_at, updated_at`
const Nothing = row(Type.Object({}))
const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())

export function findOfAgent(db: Queries, agentId: string) {
  return db.maybeOne(sql.type(row(HeartbeatRow))`SELECT ${columns} FROM heartbeat.heartbeats WHERE agent_id = ${agentId}`)
}

export function findHeartbeat(db: Queries, id: string) {
  return db.maybeOne(sql.type(row(HeartbeatRow))`SELECT ${columns} FROM heartbeat.heartbeats WHERE id = ${id}`)
}

/** `next`: epoch ms; undefined leaves it. Whoever set it up first stays the one whose runs they are. */
export function upsertHeartbeat(db: Queries, id: string, agentId: string, who: { userId: string; role: string }, to: Settings, next: number | null | undefined) {
  const at = next === undefined ? sql.fragment`heartbeats.next_run_at` : sql.fragment`excluded.next_run_at`
  return db.one(sql.type(row(HeartbeatRow))`
    INSERT INTO heartbeat.heartbeats (id, agent_id, user_id, user_role, enabled, interval_sec, prompt, provider_name, model, isolated_session, light_context, ack_max_chars, max_retries,
      active_hours_start, active_hours_end, timezone, channel, chat_id, next_run_at)
    VALUES (${id}, ${agentId}, ${who.userId}, ${who.role}, ${to.enabled}, ${to.interval_sec}, ${to.prompt}, ${to.provider_name}, ${to.model}, ${to.isolated_session}, ${to.light_context},
      ${to.ack_max_chars}, ${to.max_retries}, ${to.active_hours_start}, ${to.active_hours_end}, ${to.timezone}, ${to.channel}, ${to.chat_id}, ${time(next ?? null)})
    ON CONFLICT (tenant_id, agent_id) DO UPDATE SET enabled = excluded.enabled, interval_sec = excluded.interval_sec, prompt = excluded.prompt, provider_name = excluded.provider_name,
      model = excluded.model, isolated_session = excluded.isolated_session, light_context = excluded.light_context, ack_max_chars = excluded.ack_max_chars, max_retries = excluded.max_retries,
      active_hours_start = excluded.active_hours_start, active_hours_end = excluded.active_hours_end, timezone = excluded.timezone, channel = excluded.channel, chat_id = excluded.chat_id,
      next_run_at = ${at}, updated_at = now()
    RETURNING ${columns}`)
}

export async function deleteHeartbeat(db: Queries, id: string): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM heartbeat.heartbeats WHERE id = ${id}`)
}

/** For a beat by hand, enabled or not. False: it is at work. */
export async function claimHeartbeat(db: Queries, id: string, node: { id: string; boot: string }, leaseSeconds: number): Promise<boolean> {
  const { rowCount } = await db.query(sql.type(Nothing)`
    UPDATE heartbeat.heartbeats SET node = ${node.id}, boot = ${node.boot}, lease_until = now() + make_interval(secs => ${leaseSeconds}), attempt = 1, by_hand = true
    WHERE id = ${id} AND lease_until IS NULL`)
  return rowCount === 1
}

/** The lease goes; what is due stays due. `afterMs`: the lease stays for that long, so that nobody looks before. */
export async function releaseHeartbeat(db: Queries, id: string, afterMs: number): Promise<void> {
  await db.query(sql.type(Nothing)`
    UPDATE heartbeat.heartbeats SET attempt = greatest(attempt - 1, 0), node = NULL, lease_until = now() + make_interval(secs => ${afterMs / 1_000}) WHERE id = ${id}`)
}

/** Its next beat is now. False: it has none to come, because it is off. */
export async function hurryHeartbeat(db: Queries, agentId: string): Promise<boolean> {
  const { rowCount } = await db.query(sql.type(Nothing)`UPDATE heartbeat.heartbeats SET next_run_at = least(next_run_at, now()) WHERE agent_id = ${agentId} AND enabled`)
  return rowCount === 1
}

/** The end of a beat, and the time of the next. A time that somebody has given it meanwhile stays: what was read has milliseconds, what the database has made itself has more. */
export async function concludeHeartbeat(
  db: Queries,
  heartbeat: HeartbeatRow,
  end: { status: string; error: string | null; next: number | null; startedAt: number },
): Promise<void> {
  const [ran, suppressed] = [end.status !== "skipped", end.status === "suppressed"].map(Number)
  await db.query(sql.type(Nothing)`
    UPDATE heartbeat.heartbeats SET lease_until = NULL, node = NULL, boot = NULL, attempt = 0, by_hand = false, last_run_at = ${time(end.startedAt)}, last_status = ${end.status},
      last_error = ${end.error}, run_count = run_count + ${ran as number}, suppress_count = suppress_count + ${suppressed as number},
      next_run_at = CASE WHEN date_trunc('milliseconds', next_run_at) IS NOT DISTINCT FROM date_trunc('milliseconds', ${heartbeat.next_run_at}::timestamptz)
        THEN ${time(end.next)}::timestamptz ELSE next_run_at END
    WHERE id = ${heartbeat.id}`)
}
