import type { Caller, Tx } from "@plugboard/sdk"
import type { Access } from "./access.ts"
import { insertEvent } from "./history.ts"
import type { TeamRow } from "./roster.ts"
import type { TaskRow } from "./tasks.ts"
import type { Actor, Told, Wire } from "./wire.ts"

/** Something that has happened, for whoever is told when it is stored. */
export interface Happened {
  task: TaskRow
  event: string
  told: Told
  /** Key of the agent whose task it is; empty: nobody's. */
  owner: string
}

/** What happened to a task: in the team's history, in the audit log, and told to those who see the team. */
export function createEntries(wire: Wire, access: Access) {
  return async function entry(at: { tx: Tx; team: TeamRow; happened: Happened[] }, caller: Caller, task: TaskRow, event: string, actor: Actor, told: Told = {}): Promise<void> {
    const { tx, team } = at
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
    tx.publish(`team.task.${event}`, payload, await access.audience(caller, team, task.user_id))
    tx.publish("teams.board_changed", {})
    at.happened.push({ task, event, told, owner: owner_agent_key ?? "" })
  }
}
