import { Agents, type Caller, type Host, isError, type Role, type RunAnswer, Runs } from "@plugboard/sdk"
import type { Board, RunEnd } from "./board.ts"
import type { manifest } from "./manifest.ts"
import { findTeam } from "./roster.ts"
import { overdue, resultsOf, type TaskRow, taskOfRun } from "./tasks.ts"

/** Whoever has assigned the task: the agent's run may do no more than that user. */
function assignerOf(tenantId: string, { runs_as, runs_as_role }: TaskRow): Caller {
  return { tenantId, tenantSlug: "", userId: runs_as ?? "system", role: (runs_as_role ?? "viewer") as Role, scopes: [], locale: "en", via: "system" }
}

/** Runs of agents for tasks, from their start until their end is on the board. */
export function createDispatching(host: Host<typeof manifest>, board: Board) {
  const agents = host.use(Agents)
  const runs = host.use(Runs)
  const { timeoutSeconds } = host.config
  /** Runs whose end this node waits for. */
  const aside = new Set<Promise<unknown>>()

  /** The task, with what those before it have brought. */
  async function messageOf(caller: Caller, { subject, description, blocked_by }: TaskRow): Promise<string> {
    const before = blocked_by.length > 0 ? await resultsOf(host.db.for(caller), blocked_by) : []
    const results = before.map(({ task_number, subject: of, result }) => `[Result of task #${task_number}, ${of}]\n${result}`)
    return [subject, description, ...results].filter((part) => part !== "").join("\n\n")
  }
  async function endOf(caller: Caller, answer: RunAnswer | null): Promise<RunEnd> {
    if (answer?.status === "completed") return { status: "completed", result: answer.content }
    const said = async (name: "cancelled" | "interrupted" | "no_answer") => (await host.describe(host.fail(name, {}), caller.locale)) ?? name
    if (answer?.status === "cancelled") return { status: "cancelled", reason: await said("cancelled") }
    if (answer?.status === "interrupted") return { status: "failed", reason: await said("interrupted") }
    return { status: "failed", reason: answer?.error ?? (await said("no_answer")) }
  }
  async function work(caller: Caller, task: TaskRow): Promise<RunEnd> {
    const { run_id: runId, work_session_key: sessionKey, owner_agent_id, team_id, id } = task
    if (runId === null || sessionKey === null) throw new Error(`task ${id} has no run`)
    const limit = AbortSignal.timeout(timeoutSeconds * 1_000)
    try {
      // A member works for the team also where the user may not use it by himself.
      const agent = await agents.find(caller, owner_agent_id ?? "")
      if (agent?.status !== "active") throw host.fail("inactive", { agent: agent?.key ?? "-" })
      const team = await findTeam(host.db.for(caller), team_id)
      const lead = team && (await agents.find(caller, team.lead_agent_id))
      await runs.start(caller, {
        agent,
        sessionKey,
        channel: "team",
        chatId: team_id,
        message: await messageOf(caller, task),
        runId,
        idempotencyKey: `team-task:${id}:${task.dispatches}`,
        origin: { runKind: "delegation", teamId: team_id, teamTaskId: id, parentAgentId: lead?.key ?? "" },
      })
      return await endOf(caller, await runs.ended(caller, runId, limit))
    } catch (error) {
      if (limit.aborted) await runs.abort(caller, runId)
      const failure = limit.aborted ? host.fail("timed_out", { seconds: timeoutSeconds }) : error
      const reason = await host.describe(failure, caller.locale)
      if (reason === null) host.log.error({ err: error, task: id }, "task failed")
      return { status: "failed", reason: reason ?? "internal error" }
    }
  }
  async function failInterrupted(caller: Caller, task: TaskRow): Promise<void> {
    const reason = (await host.describe(host.fail("interrupted", {}), "en")) ?? ""
    await board.endRun(caller, task, { status: "failed", reason })
  }

  return {
    dispatch(tenantId: string, task: TaskRow): void {
      const caller = assignerOf(tenantId, task)
      const following = work(caller, task)
        .then((end) => board.endRun(caller, task, end))
        .catch((err: unknown) => {
          // Its time runs out, and it is looked after then; of a team that was removed meanwhile nobody asks.
          if (!isError(err, "teams.unknown_team")) host.log.error({ err, task: task.id }, "end of a task not stored")
        })
        .finally(() => aside.delete(following))
      aside.add(following)
    },
    /** A gateway has died with this run. */
    async interrupted(tenantId: string, runId: string): Promise<void> {
      const caller: Caller = { tenantId, tenantSlug: "", userId: "system", role: "owner", scopes: [], locale: "en", via: "system" }
      const task = await taskOfRun(host.db.for(caller), runId)
      if (task?.run_id === runId) await failInterrupted(caller, task)
    },
    /** What nobody waits for any more. */
    async tend(caller: Caller): Promise<void> {
      for (const task of await overdue(host.db.for(caller))) {
        if (task.run_id === null) await board.lapse(caller, task)
        else await failInterrupted(caller, task)
      }
    },
    settled: () => Promise.all(aside),
  }
}
