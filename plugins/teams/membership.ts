import type { AgentsService, Caller, Host, Remote, Tap, TeamsService } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { listMembers, listTeams, type Membership, membershipsOf } from "./roster.ts"
import { listTasks, taskOfRun } from "./tasks.ts"

/** Tasks that a prompt names. */
const mostTasks = 20
const key = "teams"

/** Which agent is in which team, asked on each turn: kept in memory until a team changes. An agent in no team costs nothing more than that. */
export function createMembership(host: Host<typeof manifest>, agents: Remote<AgentsService>, tools: readonly string[]) {
  const ofAgent = host.cache<Membership[]>({
    max: 10_000,
    ttlMs: 300_000,
    changedBy: ["teams.changed"],
    load: (caller, agentId) => membershipsOf(host.db.for(caller), agentId),
  })
  const ofTenant = host.cache<{ id: string; name: string; leadAgentId: string }[]>({
    max: 1_000,
    ttlMs: 300_000,
    changedBy: ["teams.changed"],
    load: async (caller) => (await listTeams(host.db.for(caller))).map(({ id, name, lead_agent_id }) => ({ id, name, leadAgentId: lead_agent_id })),
  })
  /** Members and open tasks in words; empty for a team that is gone. */
  const briefings = host.cache<string>({
    max: 1_000,
    ttlMs: 300_000,
    changedBy: ["teams.changed", "teams.board_changed"],
    async load(caller, teamId) {
      const db = host.db.for(caller)
      const members = await listMembers(db, teamId)
      const open = await listTasks(db, teamId, { statuses: ["pending", "in_progress", "blocked", "in_review", "stale"], channel: null, chatId: null })
      const keyOf = async (id: string | null) => (id === null ? undefined : (await agents.find(caller, id))?.key)
      const names = await Promise.all(
        members.map(async ({ agent_id, role }) => {
          const agent = await agents.find(caller, agent_id)
          return agent && `- ${agent.key} (${role})${agent.description ? `: ${agent.description.slice(0, 200)}` : ""}`
        }),
      )
      const tasks = await Promise.all(
        open.slice(0, mostTasks).map(async (task) => `- #${task.task_number} ${task.status} ${(await keyOf(task.owner_agent_id)) ?? "free"}: ${task.subject.slice(0, 120)}`),
      )
      return ["Members:", ...names.filter((line) => line !== undefined), ...(tasks.length > 0 ? ["Open tasks:", ...tasks] : ["No open tasks."])].join("\n")
    },
  })

  async function memberships(caller: Caller, agentKey: string): Promise<readonly Membership[]> {
    const agent = await agents.find(caller, agentKey)
    return agent ? ofAgent.get(caller, agent.id) : []
  }

  const tellOfTeam: Tap<"prompt.assembling"> = async function tellOfTeam(prompt, { caller }) {
    const mine = await memberships(caller, prompt.agentKey)
    if (mine.length === 0) return prompt
    const all = await ofTenant.get(caller, "")
    const parts = await Promise.all(
      mine.slice(0, 5).map(async ({ team_id, role }) => {
        const name = all.find(({ id }) => id === team_id)?.name ?? team_id
        return `You are ${role === "lead" ? "the lead" : `a ${role}`} of the team "${name}". Its board is the tool team_tasks.\n${await briefings.get(caller, team_id)}`
      }),
    )
    return { ...prompt, sections: [...prompt.sections, { key, text: parts.join("\n\n") }] }
  }
  const offerBoard: Tap<"tools.resolving"> = async function offerBoard(value, { caller }) {
    if (!value.tools.some(({ name }) => tools.includes(name)) || (await memberships(caller, value.agentKey)).length > 0) return value
    return { ...value, tools: value.tools.filter(({ name }) => !tools.includes(name)) }
  }
  const service: TeamsService = {
    all: (caller) => ofTenant.get(caller, ""),
    async taskOf(caller, runId) {
      const task = await taskOfRun(host.db.for(caller), runId)
      return task?.run_id === runId ? { teamId: task.team_id, taskId: task.id } : null
    },
  }
  return { memberships, tellOfTeam, offerBoard, service }
}
