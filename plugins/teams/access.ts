import { type AgentsService, type Caller, type EventTarget, type Host, type Remote, seesAll } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { findTeam, listTeams, type TeamRow, type TeamSettings } from "./roster.ts"
import { findTask, type TaskRow } from "./tasks.ts"

/** Whether a team's settings let a user in: who is named as refused is, and where some are named as allowed nobody else is. */
export function isAdmitted({ allow_user_ids: allowed, deny_user_ids: denied }: TeamSettings, userId: string): boolean {
  return !denied?.includes(userId) && (!allowed?.length || allowed.includes(userId))
}
export function isOpenTo({ allow_channels: allowed, deny_channels: denied }: TeamSettings, channel: string): boolean {
  return !denied?.includes(channel) && (!allowed?.length || allowed.includes(channel))
}

/** Who sees a team: admins, who made it, whom its settings name, and (where they name nobody) all who may use its lead. To others it is not there. */
export function createAccess(host: Host<typeof manifest>, agents: Remote<AgentsService>) {
  async function maySee(caller: Caller, team: TeamRow): Promise<boolean> {
    if (seesAll(caller) || team.created_by === caller.userId) return true
    if (!isAdmitted(team.settings, caller.userId)) return false
    return team.settings.allow_user_ids?.includes(caller.userId) || (await agents.resolve(caller, team.lead_agent_id)) !== null
  }
  async function team(caller: Caller, id: string): Promise<TeamRow> {
    const found = await findTeam(host.db.for(caller), id)
    if (!found || !(await maySee(caller, found))) throw host.fail("unknown_team", { team: id })
    return found
  }
  return {
    team,
    /** Those who see the team, besides admins, who get every event; and `userId`, whose task it is. */
    async audience(caller: Caller, { created_by, lead_agent_id, settings }: Pick<TeamRow, "created_by" | "lead_agent_id" | "settings">, userId = created_by): Promise<EventTarget> {
      const { allow_user_ids: allowed = [], deny_user_ids: denied = [] } = settings
      const users = allowed.length > 0 ? allowed : await agents.users(caller, lead_agent_id)
      return { userId, users: users === "everyone" ? users : [created_by, ...users], except: denied.filter((id) => id !== created_by) }
    },
    async teams(caller: Caller): Promise<TeamRow[]> {
      const seen: TeamRow[] = []
      for (const found of await listTeams(host.db.for(caller))) if (await maySee(caller, found)) seen.push(found)
      return seen
    },
    async task(caller: Caller, teamId: string, taskId: string): Promise<TaskRow> {
      const found = await findTask(host.db.for(caller), (await team(caller, teamId)).id, taskId)
      if (!found) throw host.fail("unknown_task", { task: taskId })
      return found
    },
  }
}
export type Access = ReturnType<typeof createAccess>
