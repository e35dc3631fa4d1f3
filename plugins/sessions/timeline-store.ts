import { type Queries, type RunAttempt, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Text = Type.String()
const MaybeText = Type.Union([Text, Type.Null()])
/** A run has this many places for its messages, see migrations/sessions. */
const places = 10_000

const TimedRun = Type.Object({
  id: Text,
  session_id: Text,
  session_key: Text,
  owner_id: Text,
  user_id: Text,
  agent_key: Text,
  channel: Text,
  chat_id: Text,
  status: Text,
  provider: Text,
  model: Text,
  usage: Type.Union([Type.Record(Text, Type.Unknown()), Type.Null()]),
  attempts: Type.Union([Type.Array(Type.Unknown()), Type.Null()]),
  error: MaybeText,
  place: Type.Union([Type.Integer(), Type.Null()]),
  created_at: Text,
  finished_at: MaybeText,
})
export type TimedRun = Omit<Static<typeof TimedRun>, "attempts"> & { attempts: readonly RunAttempt[] | null }

/** A run by its id, which must be one of the session when that is named too; or a session's: the one under way, else the latest. */
export async function findRun(db: Queries, runId: string | null, sessionKey: string | null): Promise<TimedRun | null> {
  const run = await db.maybeOne(sql.type(row(TimedRun))`
    SELECT r.id, r.session_id, s.session_key, s.user_id AS owner_id, r.user_id, r.agent_key, r.channel, r.chat_id, r.status, r.provider, r.model, r.usage, r.attempts, r.error,
      (SELECT ordinal FROM sessions.messages WHERE id = r.message_id) AS place, r.created_at, r.finished_at
    FROM sessions.sessions s JOIN sessions.runs r ON r.session_id = s.id
    WHERE (${runId}::uuid IS NULL OR r.id = ${runId}::uuid) AND (${sessionKey}::text IS NULL OR s.session_key = ${sessionKey})
    ORDER BY r.id IS NOT DISTINCT FROM s.active_run DESC, r.status = 'queued', r.created_at DESC, r.id LIMIT 1`)
  return run as TimedRun | null
}

const Step = Type.Object({
  id: Text,
  role: Text,
  said: Type.Boolean(),
  tool_call_id: MaybeText,
  is_error: Type.Union([Type.Boolean(), Type.Null()]),
  calls: Type.Union([Type.Array(Type.Object({ id: Text, name: Text })), Type.Null()]),
  created_at: Text,
})
export type Step = Static<typeof Step>

/** A run's messages in order, without what they say. */
export function stepsOf(db: Queries, { id, session_id, place }: TimedRun) {
  return db.any(sql.type(row(Step))`
    SELECT id, role, octet_length(content) > 0 AS said, tool_call_id, is_error, created_at,
      (SELECT jsonb_agg(jsonb_build_object('id', c->>'id', 'name', c->>'name')) FROM jsonb_array_elements(tool_calls) c) AS calls
    FROM sessions.messages WHERE session_id = ${session_id} AND ordinal >= ${place} AND ordinal < ${(place ?? 0) + places} AND run_id = ${id} AND NOT pending
    ORDER BY ordinal LIMIT ${places}`)
}

const Said = Type.Object({ id: Text, content: Text, calls: Type.Union([Type.Array(Type.Object({ id: Text, arguments: Text })), Type.Null()]) })

/** What these messages say, each text cut at `most` characters. */
export function textsOf(db: Queries, ids: readonly string[], most: number) {
  return db.any(sql.type(row(Said))`
    SELECT id, left(content, ${most}) AS content,
      (SELECT jsonb_agg(jsonb_build_object('id', c->>'id', 'arguments', left((c->'arguments')::text, ${most}))) FROM jsonb_array_elements(tool_calls) c) AS calls
    FROM sessions.messages WHERE id = ANY(${sql.array([...ids], "uuid")}) LIMIT ${ids.length}`)
}
