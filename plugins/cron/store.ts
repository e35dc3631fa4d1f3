import { jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import { Schedule } from "./schedule-form.ts"

const Text = Type.String()
const Nullable = Type.Union([Text, Type.Null()])
export const JobRow = Type.Object({
  id: Text,
  tenant_id: Text,
  user_id: Text,
  user_role: Text,
  name: Text,
  agent_id: Text,
  enabled: Type.Boolean(),
  schedule: Schedule,
  message: Text,
  deliver: Type.Boolean(),
  deliver_channel: Text,
  deliver_to: Text,
  wake_heartbeat: Type.Boolean(),
  stateless: Type.Boolean(),
  delete_after_run: Type.Boolean(),
  next_run_at: Nullable,
  last_run_at: Nullable,
  last_status: Nullable,
  last_error: Nullable,
  by_hand: Type.Boolean(),
  created_at: Text,
  updated_at: Text,
})
export type JobRow = Static<typeof JobRow>
/** What can be written of a row. */
export type Written = Pick<
  JobRow,
  "name" | "agent_id" | "enabled" | "schedule" | "message" | "deliver" | "deliver_channel" | "deliver_to" | "wake_heartbeat" | "stateless" | "delete_after_run"
> & {
  /** Epoch ms. */
  next_run: number | null
}

const columns = sql.fragment`id, tenant_id, user_id, user_role, name, agent_id, enabled, schedule, message, deliver, deliver_channel, deliver_to, wake_heartbeat, stateless,
  delete_after_run, next_run_at, last_run_at, last_status, last_error, by_hand, created_at, updated_at`
const Nothing = row(Type.Object({}))
const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** By name; null: everybody's. */
export function listJobs(db: Queries, userId: string | null, disabledToo: boolean) {
  return db.any(sql.type(row(JobRow))`
    SELECT ${columns} FROM cron.jobs WHERE (${userId}::text IS NULL OR user_id = ${userId}) AND (enabled OR ${disabledToo}) ORDER BY name, id LIMIT 1000`)
}

export async function countJobs(db: Queries, userId: string | null): Promise<number> {
  return (await db.one(sql.type(row(Type.Object({ count: Type.Integer() })))`SELECT count(*) AS count FROM cron.jobs WHERE ${userId}::text IS NULL OR user_id = ${userId}`)).count
}

/** Jobs that name an agent, in the order of their ids; of one user, or of all when null. */
export function jobsOfAgent(db: Queries, { id, key }: { id: string; key: string }, userId: string | null, after: string, limit: number) {
  return db.any(sql.type(row(JobRow))`
    SELECT ${columns} FROM cron.jobs
    WHERE agent_id IN (${key}, ${id}) AND (${userId}::text IS NULL OR user_id = ${userId}) AND (${after} = '' OR id > nullif(${after}, '')::uuid) ORDER BY id LIMIT ${limit}`)
}

export async function countJobsOfAgent(db: Queries, { id, key }: { id: string; key: string }, userId: string | null): Promise<number> {
  const { count } = await db.one(sql.type(row(Type.Object({ count: Type.Integer() })))`
    SELECT count(*) AS count FROM cron.jobs WHERE agent_id IN (${key}, ${id}) AND (${userId}::text IS NULL OR user_id = ${userId})`)
  return count
}

export async function findJob(db: Queries, id: string): Promise<JobRow | null> {
  return uuid.test(id) ? db.maybeOne(sql.type(row(JobRow))`SELECT ${columns} FROM cron.jobs WHERE id = ${id}`) : null
}

export function insertJob(db: Queries, id: string, who: { userId: string; role: string }, job: Written) {
  return db.one(sql.type(row(JobRow))`
    INSERT INTO cron.jobs (id, user_id, user_role, name, agent_id, enabled, schedule, message, deliver, deliver_channel, deliver_to, wake_heartbeat, stateless, delete_after_run, next_run_at)
    VALUES (${id}, ${who.userId}, ${who.role}, ${job.name}, ${job.agent_id}, ${job.enabled}, ${jsonText(job.schedule)}::jsonb, ${job.message}, ${job.deliver}, ${job.deliver_channel},
      ${job.deliver_to}, ${job.wake_heartbeat}, ${job.stateless}, ${job.delete_after_run}, ${time(job.next_run)})
    RETURNING ${columns}`)
}

/** Null when it has gone meanwhile. */
export function updateJob(db: Queries, id: string, job: Written) {
  return db.maybeOne(sql.type(row(JobRow))`
    UPDATE cron.jobs SET name = ${job.name}, agent_id = ${job.agent_id}, enabled = ${job.enabled}, schedule = ${jsonText(job.schedule)}::jsonb, message = ${job.message}, deliver = ${job.deliver},
      deliver_channel = ${job.deliver_channel}, deliver_to = ${job.deliver_to}, wake_heartbeat = ${job.wake_heartbeat}, stateless = ${job.stateless},
      delete_after_run = ${job.delete_after_run}, next_run_at = ${time(job.next_run)}, updated_at = now()
    WHERE id = ${id} RETURNING ${columns}`)
}

export async function deleteJob(db: Queries, id: string): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM cron.jobs WHERE id = ${id}`)
}

/** Those that name the agent by its id or its key. */
export async function deleteJobsOfAgent(db: Queries, agent: { id: string; key: string }): Promise<readonly Pick<JobRow, "id" | "name">[]> {
  return db.any(sql.type(row(Type.Object({ id: Type.String(), name: Type.String() })))`DELETE FROM cron.jobs WHERE agent_id IN (${agent.id}, ${agent.key}) RETURNING id, name`)
}

/** For a run by hand, enabled or not. False: it is at work. */
export async function claimJob(db: Queries, id: string, node: { id: string; boot: string }, leaseSeconds: number): Promise<boolean> {
  const { rowCount } = await db.query(sql.type(Nothing)`
    UPDATE cron.jobs SET node = ${node.id}, boot = ${node.boot}, lease_until = now() + make_interval(secs => ${leaseSeconds}), attempt = 1, by_hand = true
    WHERE id = ${id} AND lease_until IS NULL`)
  return rowCount === 1
}

/** The lease goes; what is due stays due. `afterMs`: the lease stays for that long, so that nobody looks before. */
export async function releaseJob(db: Queries, id: string, afterMs: number): Promise<void> {
  await db.query(sql.type(Nothing)`
    UPDATE cron.jobs SET attempt = greatest(attempt - 1, 0), node = NULL, lease_until = now() + make_interval(secs => ${afterMs / 1_000}) WHERE id = ${id}`)
}

/** The end of a run, and its next time. Keeps the time that somebody has given it meanwhile: what was read has milliseconds, what the database has made itself has more. */
export async function concludeJob(db: Queries, job: JobRow, end: { status: string; error: string | null; next: number | null; startedAt: number }): Promise<void> {
  await db.query(sql.type(Nothing)`
    UPDATE cron.jobs SET lease_until = NULL, node = NULL, boot = NULL, attempt = 0, by_hand = false, last_run_at = ${time(end.startedAt)}, last_status = ${end.status},
      last_error = ${end.error}, next_run_at = CASE WHEN date_trunc('milliseconds', next_run_at) IS NOT DISTINCT FROM date_trunc('milliseconds', ${job.next_run_at}::timestamptz) THEN ${time(end.next)}::timestamptz ELSE next_run_at END
    WHERE id = ${job.id}`)
}
