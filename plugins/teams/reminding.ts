import { type Caller, type Host, Sessions } from "@plugboard/sdk"
import { systemCallerOf } from "./announcing.ts"
import type { Board } from "./board.ts"
import type { manifest } from "./manifest.ts"
import { dueFollowups, type TaskRow } from "./tasks.ts"

/** Of the conversation's newest messages, where an answer is looked for. */
const lookedAt = 50

/** Reminds users of what an agent has asked them, in the conversation in which the task was made; of other tasks by their events alone. */
export function createReminding(host: Host<typeof manifest>, board: Board) {
  const sessions = host.use(Sessions)

  /** Whatever the user has said since. What runs are told of tasks and the like begins with a bracket. */
  async function isAnswered(caller: Caller, { session_key, followup_asked_at }: TaskRow): Promise<boolean> {
    if (session_key === null || !(await sessions.facts(caller, session_key))) return false
    const { messages } = await sessions.history(caller, session_key, { limit: lookedAt })
    const asked = Date.parse(followup_asked_at ?? "")
    return messages.some(({ role, content, createdAt }) => role === "user" && !content.startsWith("[") && Date.parse(createdAt) > asked)
  }
  return async function remind({ tenantId }: Caller): Promise<void> {
    const system: Caller = { tenantId, tenantSlug: "", userId: "system", role: "owner", scopes: [], locale: "en", via: "system" }
    for (const task of await dueFollowups(host.db.for(system))) {
      const caller = systemCallerOf(tenantId, task)
      const row = await board.remind(caller, task, await isAnswered(caller, task))
      if (row === null || row.session_key === null) continue
      await sessions.append(
        caller,
        row.session_key,
        `[Team task #${row.task_number}, ${row.subject}: reminder ${row.followup_count} of ${row.followup_max}]\n\n${row.followup_message}`,
      )
    }
  }
}
