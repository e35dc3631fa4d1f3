import { type Queries, row, type SessionActivity, sql } from "@plugboard/sdk"
import { Type } from "typebox"

const Text = Type.String()
const Activity = Type.Object({
  runId: Text,
  sessionKey: Text,
  ownerId: Text,
  userId: Text,
  agentKey: Text,
  channel: Text,
  chatId: Text,
  node: Text,
  isRunning: Type.Boolean(),
})

/** Runs of these sessions that are under way, or have ended within the last seconds; 500 at most. */
export function activityOf(db: Queries, sessionKeys: readonly string[], seconds: number): Promise<SessionActivity[]> {
  const columns = sql.fragment`r.id AS "runId", s.session_key AS "sessionKey", s.user_id AS "ownerId", r.user_id AS "userId", r.agent_key AS "agentKey", r.channel, r.chat_id AS "chatId", r.node`
  const keys = sql.array([...sessionKeys], "text")
  return db.any(sql.type(row(Activity))`
    SELECT ${columns}, true AS "isRunning" FROM sessions.sessions s JOIN sessions.runs r ON r.id = s.active_run WHERE s.session_key = ANY(${keys}) AND r.status = 'running'
    UNION ALL
    SELECT ${columns}, false FROM sessions.runs r JOIN sessions.sessions s ON s.id = r.session_id
    WHERE r.finished_at > now() - make_interval(secs => ${seconds}) AND s.session_key = ANY(${keys})
    LIMIT 500`)
}
