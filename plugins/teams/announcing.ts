import { type AgentProfile, Agents, type Caller, type Host, type Role, Runs, Sessions } from "@plugboard/sdk"
import type { Access } from "./access.ts"
import type { Happened } from "./entries.ts"
import { newestBlocker } from "./history.ts"
import type { manifest } from "./manifest.ts"
import { findTeam, type TeamRow, type TeamSettings } from "./roster.ts"
import { markAnnounced, markEscalated, type TaskRow, unannounced } from "./tasks.ts"

/** Of a result; the rest is on the board. */
const resultChars = 20_000

/** Whose task it is: what is said later may do no more than that user. */
export function systemCallerOf(tenantId: string, task: TaskRow): Caller {
  return { tenantId, tenantSlug: "", userId: task.user_id, role: task.user_role as Role, scopes: [], locale: "en", via: "system" }
}

/** Tells the agent that made a task in a conversation what became of it, and the lead of a blocker: a run of its own in that session. */
export function createAnnouncing(host: Host<typeof manifest>, access: Access) {
  const agents = host.use(Agents)
  const sessions = host.use(Sessions)
  const runs = host.use(Runs)
  const underWay = new Set<string>()

  async function run(caller: Caller, team: TeamRow, task: TaskRow, agent: AgentProfile, sessionKey: string, runId: string, message: string): Promise<void> {
    host.events.publish(caller, "team.leader.processing", { agentId: agent.key, tasks: 1 }, await access.audience(caller, team, caller.userId))
    await runs.start(caller, {
      agent,
      sessionKey,
      channel: task.channel,
      chatId: task.chat_id,
      message,
      runId,
      idempotencyKey: `team-task:${task.id}:${runId === task.announce_run_id ? "told" : "blocked"}`,
      origin: { runKind: "announce", teamId: task.team_id, teamTaskId: task.id, parentAgentId: agent.key },
    })
  }
  const title = ({ task_number, subject }: TaskRow, what: string) => `[Team task #${task_number}, ${subject}: ${what}]`

  /** Both resolve when there is nothing more to do, also because nobody is there to be told. */
  async function tellEnd(caller: Caller, team: TeamRow, task: TaskRow): Promise<void> {
    const { announce_run_id: runId, session_key: sessionKey, status } = task
    const { notifications = {} } = team.settings
    if (runId === null || sessionKey === null || (status !== "completed" && status !== "failed") || notifications[status] === false || (await sessions.answer(caller, runId)))
      return
    const maker = await agents.find(caller, task.created_by_agent_id ?? "")
    if (maker?.status !== "active" || !(await sessions.facts(caller, sessionKey))) return
    const parts = [title(task, status), (task.result ?? "").slice(0, resultChars) || "(Nothing was said.)"]
    if (notifications.mode === "direct") await sessions.append(caller, sessionKey, parts.join("\n\n"))
    else await run(caller, team, task, maker, sessionKey, runId, [...parts, "[You made this task earlier. Tell the user what matters of it, or go on with it.]"].join("\n\n"))
  }
  async function tellBlocker(caller: Caller, team: TeamRow, task: TaskRow): Promise<void> {
    const { escalation_run_id: runId, created_by_agent_id, session_key } = task
    if (runId === null || (await sessions.answer(caller, runId))) return
    const lead = await agents.find(caller, team.lead_agent_id)
    if (lead?.status !== "active") return
    const own = created_by_agent_id === lead.id && session_key !== null && (await sessions.facts(caller, session_key)) ? session_key : null
    const message = [
      title(task, "blocked"),
      (await newestBlocker(host.db.for(caller), task.id))?.slice(0, resultChars) ?? "",
      "[A member cannot go on with this. You lead the team: answer it with a comment, assign or cancel the task, or ask the user.]",
    ]
    await run(caller, team, task, lead, own ?? `agent:${lead.key}:team:${team.id}:${task.id}-blocked`, runId, message.join("\n\n"))
  }

  async function announce(tenantId: string, task: TaskRow): Promise<void> {
    const told = `${task.id} ${task.status}`
    if (underWay.has(told)) return
    underWay.add(told)
    const caller = systemCallerOf(tenantId, task)
    const db = host.db.for(caller)
    try {
      const team = await findTeam(db, task.team_id)
      if (!team) return
      await tellBlocker(caller, team, task)
      if (task.escalation_run_id !== null) await markEscalated(db, task.id)
      await tellEnd(caller, team, task)
      if (task.status === "completed" || task.status === "failed") await markAnnounced(db, task.id)
    } catch (err) {
      host.log.info({ err, task: task.id }, "agent not told of a task; it is tried again")
    } finally {
      underWay.delete(told)
    }
  }

  /** What the conversation is told in a line, where the team's settings want it; ends are announced. */
  function lineOf({ notifications: wanted = {}, progress_notifications }: TeamSettings, { task, event, told, owner }: Happened): { what: string; text?: string } | null {
    const { progress_percent: percent, progress_step: step } = task
    if (event === "created" && wanted.new_task) return { what: "new" }
    if (event === "dispatched" && wanted.dispatched) return { what: `begun by ${owner}` }
    if (event === "progress" && (wanted.progress ?? progress_notifications)) return { what: percent === null ? "progress" : `${percent}%`, text: step ?? "" }
    if (event === "commented" && wanted.commented) return { what: "comment", text: told.comment }
    return null
  }
  async function note(tenantId: string, settings: TeamSettings, happened: Happened): Promise<void> {
    const { task } = happened
    const line = task.session_key === null ? null : lineOf(settings, happened)
    if (line === null || task.session_key === null) return
    await sessions.append(systemCallerOf(tenantId, task), task.session_key, [title(task, line.what), line.text].filter(Boolean).join("\n\n"))
  }
  return {
    announce: (tenantId: string, task: TaskRow) => {
      announce(tenantId, task).catch((err: unknown) => host.log.warn({ err, task: task.id }, "agent not told of a task; it is looked after later"))
    },
    note: (tenantId: string, settings: TeamSettings, happened: Happened) => {
      note(tenantId, settings, happened).catch((err: unknown) => host.log.info({ err, task: happened.task.id }, "conversation not told of a task"))
    },
    async announceMissed(caller: Caller): Promise<void> {
      for (const task of await unannounced(host.db.for(caller))) await announce(caller.tenantId, task)
    },
  }
}
