import { randomUUID } from "node:crypto"
import { type AgentProfile, type AgentsService, type Caller, type Host, type Remote, Runs, type Tool, type ToolContext, type ToolResult } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import { isAdmitted, isOpenTo } from "./access.ts"
import type { Board } from "./board.ts"
import { listComments } from "./history.ts"
import type { manifest } from "./manifest.ts"
import { findTeam, type Membership, type TeamRow } from "./roster.ts"
import { findTask, listTasks, type TaskRow, taskOfRun } from "./tasks.ts"
import { type Actor, beginningOf, type Wire } from "./wire.ts"
import type { Workspace } from "./workspace.ts"

const Text = (maxLength: number, description: string) => Type.Optional(Type.String({ maxLength, description }))
const team = Text(255, "Name or id of the team; only for an agent in several.")
const board = Type.Object({
  action: Type.Enum(["list", "get", "create", "assign", "claim", "progress", "complete", "comment", "ask", "block", "attach", "approve", "reject", "cancel"]),
  team,
  task: Text(100, "Number or id of a task; for all but list and create."),
  subject: Text(500, "create: what is to be done, in a line."),
  description: Text(10_000, "create: all that is needed to know; the member sees nothing of this conversation."),
  assignee: Text(100, "create, assign: the member who is to do it, and begins at once."),
  priority: Type.Optional(Type.Integer({ minimum: -1_000_000, maximum: 1_000_000 })),
  blocked_by: Type.Optional(Type.Array(Type.String({ maxLength: 100 }), { maxItems: 50, description: "create, block: tasks that must be completed first." })),
  result: Text(100_000, "complete: what came of it."),
  text: Text(10_000, "comment, ask, reject, cancel: what is said; ask: to the task's user, who is reminded until there is an answer."),
  blocker: Type.Optional(Type.Boolean({ description: "comment: the work cannot go on because of this." })),
  percent: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
  step: Text(500, "progress: what is being done."),
  file: Text(255, "attach: a file of the workspace."),
})
const files = Type.Object({
  action: Type.Enum(["list", "read", "write", "delete"]),
  team,
  name: Text(255, "Of the file, such as notes/plan.md."),
  content: Text(500_000, "write: all of its text."),
})
/** Of a file or result that a model is shown. */
const shownChars = 50_000

export const boardTool = "team_tasks"
export const filesTool = "team_workspace"

interface Parts {
  board: Board
  wire: Wire
  workspace: Workspace
  agents: Remote<AgentsService>
  memberships(caller: Caller, agentKey: string): Promise<readonly Membership[]>
}
interface At {
  team: TeamRow
  self: AgentProfile
  actor: Actor & { agentId: string }
  role: Membership["role"]
  context: ToolContext
}

/** What agents in teams have: the board and the files of their team. */
export function createTools(host: Host<typeof manifest>, { board: tasks, wire, workspace, agents, memberships }: Parts) {
  const runs = host.use(Runs)

  async function place(context: ToolContext, name: string | undefined): Promise<At> {
    const { caller, agentKey, channel } = context
    const self = await agents.find(caller, agentKey)
    const found: { team: TeamRow; role: Membership["role"] }[] = []
    for (const { team_id, role } of self ? await memberships(caller, agentKey) : []) {
      const row = await findTeam(host.db.for(caller), team_id)
      if (row && (name === undefined || row.id === name || row.name === name)) found.push({ team: row, role })
    }
    const [first] = found
    if (!self || !first) throw host.fail("not_in_team", {})
    if (found.length > 1)
      throw host.fail("which_team", {
        teams: found
          .map(({ team }) => team.name)
          .join(", ")
          .slice(0, 1_000),
      })
    // A member's own run for a task comes from the team itself.
    if (!isAdmitted(first.team.settings, caller.userId) || (channel !== "team" && !isOpenTo(first.team.settings, channel))) throw host.fail("closed", {})
    return { ...first, self, actor: { type: "agent", id: self.key, agentId: self.id }, context }
  }
  function need(value: string | undefined, field: string): string {
    const text = optional(value)
    if (text.trim() === "") throw host.fail("incomplete", { field })
    return text
  }
  const optional = (value = "") => beginningOf(value, value.length)
  async function memberOf(caller: Caller, ref: string): Promise<AgentProfile> {
    const agent = await agents.find(caller, ref)
    if (!agent) throw host.fail("not_a_member", { agent: ref })
    return agent
  }
  const leads = ({ role }: At) => {
    if (role !== "lead") throw host.fail("lead_only", {})
  }
  const reviews = ({ role }: At) => {
    if (role === "member") throw host.fail("reviewers_only", {})
  }

  async function create(at: At, given: Static<typeof board>): Promise<TaskRow> {
    const { caller, runId, sessionKey, channel, chatId } = at.context
    const { enabled, auto_dispatch } = at.team.settings.member_requests ?? {}
    if (at.role !== "lead" && enabled === false) throw host.fail("requests_off", {})
    const origin = await taskOfRun(host.db.for(caller), runId)
    const worksOnIt = origin?.run_id === runId
    const hops = origin ? origin.hops + 1 : 0
    if (hops > host.config.maxHops) throw host.fail("too_many_hops", { maxHops: host.config.maxHops })
    const dispatches = at.role === "lead" || auto_dispatch !== false
    const assignee = given.assignee && dispatches ? await memberOf(caller, optional(given.assignee)) : null
    return tasks.create(
      caller,
      at.team.id,
      at.actor,
      {
        subject: need(given.subject, "subject"),
        description: optional(given.description),
        priority: given.priority ?? 0,
        task_type: "general",
        ...{ user_id: caller.userId, user_role: caller.role, channel, chat_id: chatId, hops },
        created_by_agent_id: at.self.id,
        parent_id: worksOnIt ? origin.id : null,
        // In the session of a task nobody waits for what becomes of others.
        session_key: sessionKey,
        announce_run_id: worksOnIt || !assignee ? null : randomUUID(),
        blockers: given.blocked_by ?? [],
      },
      assignee,
    )
  }
  async function line({ task_number, status, subject, owner_agent_id }: TaskRow, caller: Caller): Promise<string> {
    return `#${task_number} ${status} ${(await wire.agent(caller, owner_agent_id))?.key ?? "free"}: ${subject}`
  }
  async function shown(at: At, ref: string): Promise<string> {
    const { caller } = at.context
    const task = await findTask(host.db.for(caller), at.team.id, ref)
    if (!task) throw host.fail("unknown_task", { task: ref })
    const comments = await Promise.all((await listComments(host.db.for(caller), task.id)).slice(-20).map((comment) => wire.comment(caller, comment)))
    return JSON.stringify({ ...(await wire.task(caller, { ...task, result: task.result?.slice(0, shownChars) ?? null })), comments })
  }

  async function onBoard(given: Static<typeof board>, context: ToolContext): Promise<string> {
    const at = await place(context, given.team)
    const { actor, self, team } = at
    const { caller } = context
    if (given.action === "list") {
      const open = await listTasks(host.db.for(caller), team.id, { statuses: ["pending", "in_progress", "blocked", "in_review", "stale", "failed"], channel: null, chatId: null })
      return (await Promise.all(open.map((task) => line(task, caller)))).join("\n") || "No open tasks."
    }
    if (given.action === "create") {
      const task = await create(at, given)
      return `Made: ${await line(task, caller)}.${task.announce_run_id === null ? "" : " Its end will be told here; do not wait for it."}`
    }
    const ref = need(given.task, "task")
    switch (given.action) {
      case "get":
        return shown(at, ref)
      case "assign":
        leads(at)
        await tasks.assign(caller, team.id, ref, await memberOf(caller, need(given.assignee, "assignee")), actor)
        break
      case "claim":
        await tasks.claim(caller, team.id, ref, self, actor, true)
        break
      case "progress":
        await tasks.progress(caller, team.id, ref, actor, given.percent ?? null, given.step === undefined ? null : optional(given.step))
        break
      case "complete":
        return `Now: ${await line(await tasks.complete(caller, team.id, ref, actor, optional(given.result)), caller)}.`
      case "comment":
        await tasks.comment(caller, team.id, ref, actor, need(given.text, "text"), given.blocker ? "blocker" : "note")
        break
      case "ask":
        await tasks.ask(caller, team.id, ref, actor, need(given.text, "text"))
        break
      case "block":
        await tasks.block(caller, team.id, ref, actor, given.blocked_by ?? [])
        break
      case "attach":
        await tasks.attach(caller, team.id, ref, actor, workspace.placeOf(team, context.chatId), need(given.file, "file"))
        break
      case "approve":
        reviews(at)
        await tasks.approve(caller, team.id, ref, actor, optional(given.text))
        break
      case "reject":
        reviews(at)
        await tasks.reject(caller, team.id, ref, actor, need(given.text, "text"))
        break
      case "cancel": {
        leads(at)
        const runId = await tasks.cancel(caller, team.id, ref, actor, optional(given.text))
        if (runId !== null) await runs.abort({ ...caller, role: "admin" }, runId)
      }
    }
    return "Done."
  }
  async function onFiles({ action, name, content, ...given }: Static<typeof files>, context: ToolContext): Promise<string> {
    const { team } = await place(context, given.team)
    const { caller } = context
    const chat = workspace.placeOf(team, context.chatId)
    if (action === "list") return (await workspace.list(caller, team, chat)).map((file) => `${file.name} (${file.size} bytes)`).join("\n") || "No files."
    const file = need(name, "name")
    if (action === "read") return (await workspace.read(caller, team, chat, file, shownChars)).content
    if (action === "write") await workspace.write(caller, team, chat, file, optional(content))
    else await workspace.remove(caller, team, chat, file)
    return "Done."
  }
  /** What the board refuses, the model is told. */
  async function told(work: Promise<string>, { caller }: ToolContext, signal: AbortSignal): Promise<ToolResult> {
    try {
      return { content: await work }
    } catch (error) {
      signal.throwIfAborted()
      const content = await host.describe(error, caller.locale)
      if (content === null) throw error
      return { content, isError: true }
    }
  }
  const onBoardTool: Tool = {
    name: boardTool,
    description: "The board of your team: its tasks, who does them, and what came of them.",
    parameters: board,
    risk: "write",
    call: (args, context, signal) => told(onBoard(args as Static<typeof board>, context), context, signal),
  }
  const onFilesTool: Tool = {
    name: filesTool,
    description: "Text files that your team shares.",
    parameters: files,
    risk: "write",
    call: (args, context, signal) => told(onFiles(args as Static<typeof files>, context), context, signal),
  }
  return [onBoardTool, onFilesTool]
}
