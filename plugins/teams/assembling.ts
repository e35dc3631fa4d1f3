import { randomUUIDv7 } from "node:crypto"
import { AgentLinks, type AgentProfile, type AgentRef, type AgentsService, type Caller, type Host, type Remote, Runs, type Tx } from "@plugboard/sdk"
import type { Access } from "./access.ts"
import type { manifest } from "./manifest.ts"
import { deleteMember, deleteTeam, insertMember, insertTeam, listMembers, lockTeam, type MemberRow, membershipsOf, type TeamRow, type TeamSettings, updateTeam } from "./roster.ts"
import { type TaskRow, underWay, updateTask } from "./tasks.ts"

interface NewTeam {
  name: string
  lead: string
  members: readonly string[]
  description: string
  settings: TeamSettings
}
type TeamChange = Partial<Pick<TeamRow, "name" | "description" | "settings">>

/** Writes to teams and their members. */
export function createAssembling(host: Host<typeof manifest>, agents: Remote<AgentsService>, { audience }: Access) {
  const links = host.use(AgentLinks)
  const runs = host.use(Runs)

  async function demand(caller: Caller, ref: string): Promise<AgentProfile> {
    const agent = await agents.resolve(caller, ref)
    if (!agent) throw host.fail("unknown_agent", { agent: ref })
    return agent
  }
  async function locked(tx: Tx, id: string): Promise<TeamRow> {
    const team = await lockTeam(tx, id)
    if (!team) throw host.fail("unknown_team", { team: id })
    return team
  }
  function note(tx: Tx, action: string, team: Pick<TeamRow, "id" | "name">, details: object): void {
    tx.audit({ action: `team.${action}`, entityType: "team", entityId: team.id, details: { name: team.name, ...details } })
    tx.publish("teams.changed", {})
  }

  async function join(caller: Caller, tx: Tx, teamId: string, leadId: string, agent: AgentProfile, role: MemberRow["role"]): Promise<void> {
    if (!(await insertMember(tx, teamId, agent.id, role))) throw host.fail("member_already", { agent: agent.key })
    if (role !== "lead") await links.joinTeam(caller, teamId, leadId, agent.id)
  }
  /** Work that nobody will go on with is free again. Resolves with the runs that must end. */
  async function release(tx: Tx, teamId: string, agentId: string | null): Promise<string[]> {
    const left = await underWay(tx, teamId, agentId)
    for (const task of left) await updateTask(tx, { ...task, ...freed, status: task.status === "blocked" ? "blocked" : "pending" })
    if (left.length > 0) tx.publish("teams.board_changed", {})
    return left.flatMap(({ status, run_id }) => (status === "in_progress" && run_id !== null ? [run_id] : []))
  }
  const end = async (caller: Caller, ids: readonly string[]) => {
    for (const id of ids) await runs.abort({ ...caller, role: "admin" }, id)
  }

  return {
    async create(caller: Caller, given: NewTeam): Promise<string> {
      const lead = await demand(caller, given.lead)
      const others = await Promise.all(given.members.map((ref) => demand(caller, ref)))
      const members = [...new Map(others.map((agent) => [agent.id, agent])).values()].filter(({ id }) => id !== lead.id)
      if (members.length >= host.config.maxMembers) throw host.fail("too_many", { most: host.config.maxMembers })
      const { name, description, settings } = given
      const team = { id: randomUUIDv7(), name, description, settings, lead_agent_id: lead.id, created_by: caller.userId }
      return host.db.for(caller).transaction(async (tx) => {
        if (!(await insertTeam(tx, team, host.config.maxTeams))) throw host.fail("too_many", { most: host.config.maxTeams })
        await join(caller, tx, team.id, lead.id, lead, "lead")
        for (const member of members) await join(caller, tx, team.id, lead.id, member, "member")
        const member_count = members.length + 1
        note(tx, "created", team, { lead: lead.key, members: member_count })
        const told = { team_id: team.id, team_name: name, lead_agent_key: lead.key, lead_display_name: lead.displayName, member_count }
        tx.publish("team.created", told, await audience(caller, team))
        return team.id
      })
    },
    async update(caller: Caller, id: string, { settings, ...change }: TeamChange): Promise<void> {
      await host.db.for(caller).transaction(async (tx) => {
        const present = await locked(tx, id)
        const team = { ...present, ...change, settings: { ...present.settings, ...settings } }
        const changes = (["name", "description", "settings"] as const).filter((key) => JSON.stringify(team[key]) !== JSON.stringify(present[key]))
        await updateTeam(tx, team)
        note(tx, "updated", team, { changes })
        tx.publish("team.updated", { team_id: team.id, team_name: team.name, changes }, await audience(caller, team))
      })
    },
    async remove(caller: Caller, id: string): Promise<void> {
      const ended = await host.db.for(caller).transaction(async (tx) => {
        const team = await locked(tx, id)
        const left = await release(tx, team.id, null)
        await links.leaveTeam(caller, team.id, null)
        await deleteTeam(tx, team.id)
        note(tx, "deleted", team, {})
        tx.publish("team.deleted", { team_id: team.id, team_name: team.name }, await audience(caller, team))
        return left
      })
      await end(caller, ended)
    },
    async addMember(caller: Caller, id: string, ref: string, role: "member" | "reviewer"): Promise<void> {
      const agent = await demand(caller, ref)
      await host.db.for(caller).transaction(async (tx) => {
        const team = await locked(tx, id)
        if (team.status === "archived") throw host.fail("archived", { team: team.name })
        if (team.member_count >= host.config.maxMembers) throw host.fail("too_many", { most: host.config.maxMembers })
        await join(caller, tx, team.id, team.lead_agent_id, agent, role)
        note(tx, "member_added", team, { agent: agent.key, role })
        const told = { team_id: team.id, team_name: team.name, agent_id: agent.id, agent_key: agent.key, display_name: agent.displayName, role }
        tx.publish("team.member.added", told, await audience(caller, team))
      })
    },
    async removeMember(caller: Caller, id: string, ref: string): Promise<void> {
      const agent = await agents.find(caller, ref)
      const ended = await host.db.for(caller).transaction(async (tx) => {
        const team = await locked(tx, id)
        if (!agent || !(await listMembers(tx, team.id)).some(({ agent_id }) => agent_id === agent.id)) throw host.fail("unknown_agent", { agent: ref })
        if (agent.id === team.lead_agent_id) throw host.fail("is_lead", { agent: agent.key })
        const left = await release(tx, team.id, agent.id)
        await links.leaveTeam(caller, team.id, agent.id)
        await deleteMember(tx, team.id, agent.id)
        note(tx, "member_removed", team, { agent: agent.key })
        tx.publish(
          "team.member.removed",
          { team_id: team.id, team_name: team.name, agent_id: agent.id, agent_key: agent.key, display_name: agent.displayName },
          await audience(caller, team),
        )
        return left
      })
      await end(caller, ended)
    },
    /** An agent is gone, in the caller's transaction: teams that it has led are archived. */
    async forget(caller: Caller, agent: AgentRef): Promise<void> {
      await host.db.for(caller).transaction(async (tx) => {
        for (const { team_id } of await membershipsOf(tx, agent.id)) {
          const team = await locked(tx, team_id)
          const isLead = team.lead_agent_id === agent.id
          await release(tx, team.id, isLead ? null : agent.id)
          await deleteMember(tx, team.id, agent.id)
          if (isLead) await updateTeam(tx, { ...team, status: "archived" })
          note(tx, isLead ? "archived" : "member_removed", team, { agent: agent.key })
          if (isLead) tx.publish("team.updated", { team_id: team.id, team_name: team.name, changes: ["status"] }, await audience(caller, team))
        }
      })
    },
  }
}

/** What a task without an owner has of one. */
export const freed = { owner_agent_id: null, run_id: null, locked_at: null, lock_expires_at: null, progress_percent: null, progress_step: null } satisfies Partial<TaskRow>
