import { type AgentProfile, type AgentsService, type Caller, type Host, type Parts, type Remote, seesAll } from "@plugboard/sdk"
import type { Access } from "./access.ts"
import type { Board } from "./board.ts"
import { cliTask, statusesOf } from "./cli.ts"
import { listAttachments } from "./files.ts"
import { eventsOfTask, listComments } from "./history.ts"
import type { manifest } from "./manifest.ts"
import { activeOfSession, listTasks } from "./tasks.ts"
import { type Actor, type Wire, wireAttachment, wireEvent } from "./wire.ts"

interface Rooms {
  access: Access
  board: Board
  wire: Wire
  agents: Remote<AgentsService>
}
const ok = { ok: true } as const
const actorOf = ({ userId }: Caller): Actor => ({ type: "human", id: userId })

/** What concerns a team's tasks. Each asks first whether the caller may see the team. */
export function taskMethods(host: Host<typeof manifest>, { access, board, wire, agents }: Rooms) {
  /** A member works for the team also where the caller may not use it by himself. */
  async function memberOf(caller: Caller, ref: string): Promise<AgentProfile> {
    const agent = await agents.find(caller, ref)
    if (!agent) throw host.fail("unknown_agent", { agent: ref })
    return agent
  }
  const commentsOf = async (caller: Caller, taskId: string) => Promise.all((await listComments(host.db.for(caller), taskId)).map((row) => wire.comment(caller, row)))
  const eventsOf = async (caller: Caller, taskId: string) => (await eventsOfTask(host.db.for(caller), taskId)).map(wireEvent)
  const teamOf = async (caller: Caller, teamId: string) => (await access.team(caller, teamId)).id

  return {
    "teams.tasks.list": async ({ teamId, status, channel, chatId }, { caller, cliProfile }) => {
      const filter = { statuses: statusesOf(status), channel: channel || null, chatId: chatId || null }
      const rows = await listTasks(host.db.for(caller), await teamOf(caller, teamId), filter)
      const tasks = await Promise.all(rows.map((row) => wire.task(caller, row)))
      return cliProfile ? tasks.map(cliTask) : { tasks, count: tasks.length }
    },
    "teams.tasks.get": async ({ teamId, taskId }, { caller, cliProfile }) => {
      const row = await access.task(caller, teamId, taskId)
      const task = await wire.task(caller, row)
      const attachments = (await listAttachments(host.db.for(caller), row.id)).map(wireAttachment)
      return { ...(cliProfile && cliTask(task)), task, comments: await commentsOf(caller, row.id), events: await eventsOf(caller, row.id), attachments }
    },
    "teams.tasks.get-light": async ({ teamId, taskId }, { caller }) => ({ task: await wire.task(caller, await access.task(caller, teamId, taskId)) }),
    "teams.tasks.active-by-session": async ({ sessionKey }, { caller }) => {
      const rows = await activeOfSession(host.db.for(caller), sessionKey, seesAll(caller) ? null : caller.userId)
      return { tasks: await Promise.all(rows.map((row) => wire.activeTask(caller, row))) }
    },
    "teams.tasks.create": async ({ teamId, subject, description, priority, taskType, assignTo, blockedBy, channel, chatId }, { caller, cliProfile }) => {
      const id = await teamOf(caller, teamId)
      const given = {
        ...{ subject, description: description ?? "", priority: priority ?? 0, task_type: taskType ?? "general", blockers: blockedBy ?? [] },
        ...{ user_id: caller.userId, user_role: caller.role, channel: channel || "dashboard", chat_id: chatId || id },
      }
      const row = await board.create(caller, id, actorOf(caller), given, assignTo ? await memberOf(caller, assignTo) : null)
      const task = await wire.task(caller, row)
      return cliProfile ? { ...cliTask(task), task } : { task }
    },
    "teams.tasks.assign": async ({ teamId, taskId, agentId }, { caller }) => {
      await board.assign(caller, await teamOf(caller, teamId), taskId, await memberOf(caller, agentId), actorOf(caller))
      return ok
    },
    "teams.tasks.claim": async ({ teamId, taskId, agentId }, { caller }) => {
      await board.claim(caller, await teamOf(caller, teamId), taskId, await memberOf(caller, agentId), actorOf(caller), false)
      return ok
    },
    "teams.tasks.approve": async ({ teamId, taskId, comment }, { caller }) => {
      await board.approve(caller, await teamOf(caller, teamId), taskId, actorOf(caller), comment ?? "")
      return ok
    },
    "teams.tasks.reject": async ({ teamId, taskId, reason }, { caller }) => {
      const said = reason || ((await host.describe(host.fail("rejected", {}), caller.locale)) ?? "")
      await board.reject(caller, await teamOf(caller, teamId), taskId, actorOf(caller), said)
      return ok
    },
    "teams.tasks.comment": async ({ teamId, taskId, content }, { caller }) => {
      await board.comment(caller, await teamOf(caller, teamId), taskId, actorOf(caller), content)
      return ok
    },
    "teams.tasks.comments": async ({ teamId, taskId }, { caller, cliProfile }) => {
      const comments = await commentsOf(caller, (await access.task(caller, teamId, taskId)).id)
      return cliProfile ? comments : { comments }
    },
    "teams.tasks.events": async ({ teamId, taskId }, { caller, cliProfile }) => {
      const events = await eventsOf(caller, (await access.task(caller, teamId, taskId)).id)
      return cliProfile ? events : { events }
    },
    "teams.tasks.delete": async ({ teamId, taskId }, { caller }) => {
      await board.remove(caller, await teamOf(caller, teamId), taskId, actorOf(caller))
      return ok
    },
    "teams.tasks.delete-bulk": async ({ teamId, taskIds }, { caller }) => {
      const id = await teamOf(caller, teamId)
      return { deleted: await board.removeEnded(caller, id, taskIds, actorOf(caller)) }
    },
  } satisfies Partial<Parts<typeof manifest>["rpc"]>
}
