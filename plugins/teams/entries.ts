import type { Caller, Tx } from "@plugboard/sdk"
import { insertEvent } from "./history.ts"
import type { TaskRow } from "./tasks.ts"
import type { Actor, Told, Wire } from "./wire.ts"

/** What happened to a task: in the team's history, in the audit log, and told to the task's user and to admins. */
export function createEntries(wire: Wire) {
  return async function entry(tx: Tx, caller: Caller, task: TaskRow, event: string, actor: Actor, told: Told = {}): Promise<void> {
    const payload = await wire.told(caller, task, actor, told)
    const { reason, comment_text, progress_percent, progress_step, owner_agent_key, status } = payload
    const data = {
      status,
      ...(owner_agent_key && { owner_agent_key }),
      ...(reason && { reason }),
      ...(comment_text && { comment_text }),
      ...(progress_percent !== undefined && { progress_percent }),
      ...(progress_step && { progress_step }),
    }
    await insertEvent(tx, task.team_id, { task_id: task.id, event_type: event, actor_type: actor.type, actor_id: actor.id, data })
    tx.audit({ action: `team_task.${event}`, entityType: "team_task", entityId: task.id, details: { team: task.team_id, number: task.task_number, actor: actor.id } })
    tx.publish(`team.task.${event}`, payload, { userId: task.user_id })
    tx.publish("teams.board_changed", {})
  }
}
