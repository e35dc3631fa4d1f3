import { setTimeout as sleep } from "node:timers/promises"
import { type Caller, type Finish, type Finished, type FinishedRun, failureOf, type Host, Sessions } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { causeOf } from "./model-call.ts"
import type { Outcome, Run } from "./run.ts"
import type { Telling } from "./telling.ts"

/** How long the end of a run is tried again while the database is away: about as long as the run's lease. */
const patienceMs = 12_000

/** Ends runs: what was made is stored first, then the one terminal event is told, then those who wait are answered. */
export function createEnding(host: Host<typeof manifest>, { tell }: Telling) {
  const sessions = host.use(Sessions)

  async function store(caller: Caller, finish: Finish): Promise<Finished> {
    const deadline = performance.now() + patienceMs
    for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 2_000)) {
      try {
        return await sessions.finish(caller, finish)
      } catch (error) {
        if (failureOf(error)?.kind !== "UNAVAILABLE" || performance.now() > deadline) throw error
        await sleep(waitMs)
      }
    }
  }

  const finishOf = (run: Run, status: Finish["status"], error?: string): Finish => ({
    runId: run.id,
    sessionKey: run.sessionKey,
    status,
    messages: run.made,
    consumed: run.consumed,
    provider: run.provider,
    model: run.model,
    usage: run.usage,
    ...(error !== undefined && { error }),
  })

  /** What was said when the run was cut off, and an answer for each call that got none: the next request must be one that providers take. */
  function keepRemains(run: Run, note: string | undefined): void {
    const answered = new Set(run.made.map((message) => message.toolCallId))
    const open = run.made.flatMap((message) => message.toolCalls ?? []).filter((call) => !answered.has(call.id))
    for (const call of open) run.keep({ role: "tool", content: "[The run was ended before the tool answered.]", toolCallId: call.id, isError: true })
    const said = run.text || note
    if (said) run.keep({ role: "assistant", content: said, ...(run.thinking !== "" && { thinking: run.thinking }) })
  }

  /** The terminal event: failed, cancelled or completed. */
  function announce(run: Run, outcome: Outcome): void {
    if (outcome.status === "completed") {
      const { content, thinking, usage } = outcome
      if (!run.request.stream && content !== "") tell(run, "chunk", { content })
      tell(run, "run.completed", {
        content,
        ...(thinking !== "" && { thinking }),
        usage: {
          prompt_tokens: usage.promptTokens,
          completion_tokens: usage.completionTokens,
          total_tokens: usage.promptTokens + usage.completionTokens,
          cache_creation_tokens: usage.cacheWriteTokens,
          cache_read_tokens: usage.cachedTokens,
        },
      })
    } else if (outcome.status === "cancelled") tell(run, "run.cancelled")
    else tell(run, "run.failed", { error: outcome.status === "failed" ? causeOf(outcome.error) : "the gateway was stopped; send the message again" })
  }

  function record(run: Run, outcome: Outcome): void {
    const facts: FinishedRun = {
      runId: run.id,
      agentKey: run.request.agent.key,
      sessionKey: run.sessionKey,
      channel: run.request.turn.channel,
      status: outcome.status,
      provider: run.provider,
      model: run.model,
      usage: run.usage,
      startedAt: run.startedAt.toISOString(),
      durationMs: Date.now() - run.startedAt.getTime(),
      ...(outcome.status === "failed" && { error: causeOf(outcome.error) }),
    }
    host.hooks
      .call("run.finished", facts, { caller: run.caller, signal: AbortSignal.timeout(60_000) })
      .catch((err: unknown) => host.log.warn({ err, run: run.id }, "run.finished failed"))
  }

  function conclude(run: Run, outcome: Outcome): void {
    announce(run, outcome)
    run.log.end()
    run.settle(outcome)
    record(run, outcome)
  }

  return {
    /** `more`: messages came in between, and the run has read them; it goes on. Otherwise the run has ended, and `next` is a queued one. */
    async complete(run: Run, outcome: Extract<Outcome, { status: "completed" }>): Promise<{ more: boolean; next: string | null }> {
      const finished = await store(run.caller, finishOf(run, "completed"))
      if (finished.outcome === "more") {
        for (const message of finished.injected) {
          run.consume(message)
          tell(run, "activity", { phase: "injected_message", content: message.content.slice(0, 200) })
        }
        return { more: true, next: null }
      }
      conclude(run, finished.outcome === "lost" ? { status: "interrupted", usage: run.usage } : outcome)
      return { more: false, next: finished.outcome === "finished" ? finished.next : null }
    },
    /** For every other end. Answers the queued run that comes next. */
    async cutOff(run: Run, outcome: Exclude<Outcome, { status: "completed" }>): Promise<string | null> {
      keepRemains(run, outcome.status === "cancelled" ? "[Stopped by user]" : undefined)
      let next: string | null = null
      try {
        const finished = await store(run.caller, finishOf(run, outcome.status, outcome.status === "failed" ? causeOf(outcome.error) : undefined))
        next = finished.outcome === "finished" ? finished.next : null
      } catch (err) {
        // Its lease runs out, and the next look ends it as interrupted.
        host.log.error({ err, run: run.id }, "end of a run not stored")
      }
      conclude(run, outcome)
      return next
    },
  }
}
