import { Agents, type Caller, type Host, type Role, Runs, Sessions } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { markAnnounced, type TaskRow, unannounced } from "./tasks.ts"

/** Of a result; the rest is on the board. */
const resultChars = 20_000

/** Tells the agent that made a task in a conversation what became of it: a run of its own in that session. */
export function createAnnouncing(host: Host<typeof manifest>) {
  const agents = host.use(Agents)
  const sessions = host.use(Sessions)
  const runs = host.use(Runs)
  const underWay = new Set<string>()

  /** True when there is nothing more to do, also because nobody is there to be told. */
  async function tell(caller: Caller, task: TaskRow): Promise<boolean> {
    const { announce_run_id: runId, session_key: sessionKey } = task
    if (runId === null || sessionKey === null || (await sessions.answer(caller, runId))) return true
    const maker = await agents.find(caller, task.created_by_agent_id ?? "")
    if (maker?.status !== "active" || !(await sessions.facts(caller, sessionKey))) return true
    const message = [
      `[Team task #${task.task_number}, ${task.subject}: ${task.status}]`,
      (task.result ?? "").slice(0, resultChars) || "(Nothing was said.)",
      "[You made this task earlier. Tell the user what matters of it, or go on with it.]",
    ].join("\n\n")
    try {
      host.events.publish(caller, "team.leader.processing", { agentId: maker.key, tasks: 1 }, { userId: caller.userId })
      await runs.start(caller, {
        agent: maker,
        sessionKey,
        channel: task.channel,
        chatId: task.chat_id,
        message,
        runId,
        idempotencyKey: `team-task:${task.id}:told`,
        origin: { runKind: "announce", teamId: task.team_id, teamTaskId: task.id, parentAgentId: maker.key },
      })
      return true
    } catch (err) {
      host.log.info({ err, task: task.id }, "end of a task not announced; it is tried again")
      return false
    }
  }
  async function announce(tenantId: string, task: TaskRow): Promise<void> {
    if (underWay.has(task.id)) return
    underWay.add(task.id)
    const caller: Caller = { tenantId, tenantSlug: "", userId: task.user_id, role: task.user_role as Role, scopes: [], locale: "en", via: "system" }
    try {
      if (await tell(caller, task)) await markAnnounced(host.db.for(caller), task.id)
    } finally {
      underWay.delete(task.id)
    }
  }
  return {
    announce: (tenantId: string, task: TaskRow) => {
      announce(tenantId, task).catch((err: unknown) => host.log.warn({ err, task: task.id }, "end of a task not announced; it is looked after later"))
    },
    async announceMissed(caller: Caller): Promise<void> {
      for (const task of await unannounced(host.db.for(caller))) await announce(caller.tenantId, task)
    },
  }
}
