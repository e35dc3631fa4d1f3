import { type Caller, type Host, type RunAnswer, Runs } from "@plugboard/sdk"
import type { Begun } from "./begin.ts"
import type { Ends } from "./ends.ts"
import type { manifest } from "./manifest.ts"
import { type DelegationRow, type End, findDelegation } from "./records.ts"

/** The target's run, from its start until its end is written down. */
export function createWork(host: Host<typeof manifest>, ends: Ends) {
  const runs = host.use(Runs)
  const { timeoutSeconds } = host.config

  async function outcomeOf(caller: Caller, answer: RunAnswer | null): Promise<End> {
    const iterations = Math.max(0, ...(answer?.attempts ?? []).map(({ iteration }) => iteration))
    if (answer?.status === "completed") return { status: "completed", result: answer.content, iterations }
    const said = async (name: "cancelled" | "interrupted" | "no_answer") => (await host.describe(host.fail(name, {}), caller.locale)) ?? name
    if (answer?.status === "cancelled") return { status: "cancelled", error: await said("cancelled"), iterations }
    if (answer?.status === "interrupted") return { status: "failed", error: await said("interrupted"), iterations }
    return { status: "failed", error: answer?.error ?? (await said("no_answer")), iterations }
  }

  async function wait(caller: Caller, { row, target }: Begun, parent: AbortSignal): Promise<End> {
    const limit = AbortSignal.timeout(timeoutSeconds * 1_000)
    const stops = AbortSignal.any([parent, limit])
    try {
      stops.throwIfAborted()
      await runs.start(caller, {
        agent: target,
        sessionKey: row.session_key,
        channel: "subagent",
        chatId: row.id,
        message: row.task,
        runId: row.run_id,
        origin: { runKind: "delegation", delegationId: row.id, parentAgentId: row.source_agent_key, parentRunId: row.parent_run_id },
      })
      return await outcomeOf(caller, await runs.ended(caller, row.run_id, stops))
    } catch (error) {
      if (stops.aborted) await runs.abort(caller, row.run_id)
      const failure = parent.aborted ? host.fail("cancelled", {}) : limit.aborted ? host.fail("timed_out", { seconds: timeoutSeconds }) : error
      const cause = await host.describe(failure, caller.locale)
      if (cause === null) host.log.error({ err: error, delegation: row.id }, "delegation failed")
      return { status: parent.aborted ? "cancelled" : "failed", error: cause ?? "internal error", iterations: 0 }
    }
  }

  /** Resolves with the record as it was written at the end. */
  return async function work(caller: Caller, begun: Begun, parent: AbortSignal): Promise<DelegationRow> {
    const end = await wait(caller, begun, parent)
    const { row } = begun
    const ended = await ends.end(caller, row.id, end)
    // Whoever has ended it before has told of it, or nobody is to be told: its parent was aborted.
    return ended ?? { ...row, status: "cancelled", ...(await findDelegation(host.db.for(caller), row.id)), announce_run_id: null }
  }
}
