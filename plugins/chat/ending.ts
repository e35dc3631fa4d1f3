import { type Finish, type FinishedRun, type Host, Prices, Sessions, type Usage } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import type { Completed, CutOff, Outcome, Outcomes } from "./outcome.ts"
import { patiently } from "./patience.ts"
import type { Run } from "./run.ts"
import type { Telling } from "./telling.ts"

/** Ends runs: what was made is stored first, then the one terminal event is told, then those who wait are answered. */
export function createEnding(host: Host<typeof manifest>, { tell, tellWhole }: Telling, outcomes: Outcomes) {
  const sessions = host.use(Sessions)

  async function store(run: Run, outcome: Outcome) {
    run.costNanoUsd = await costOf(run)
    return patiently(() => sessions.finish(run.caller, finishOf(run, outcome)))
  }

  /** A run ends whether or not there is somebody to say what it cost. */
  async function costOf({ id, caller, spent }: Run): Promise<number | null> {
    if (!host.has(Prices)) return null
    return host
      .use(Prices)
      .cost(caller, spent)
      .catch((err: unknown) => {
        host.log.warn({ err, run: id }, "cost of a run not known")
        return null
      })
  }

  const finishOf = (run: Run, outcome: Outcome): Finish => ({
    runId: run.id,
    sessionKey: run.sessionKey,
    status: outcome.status,
    messages: run.made,
    consumed: run.consumed,
    ...whoOf(run),
    usage: run.usage,
    costNanoUsd: run.costNanoUsd,
    attempts: run.attempts,
    ...(run.title && { title: run.title }),
    ...("cause" in outcome && { error: outcome.cause }),
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
      if (!run.request.stream && content !== "") tellWhole(run, content)
      tell(run, "run.completed", {
        content,
        ...(thinking !== "" && { thinking }),
        usage: toldUsage(usage),
      })
    } else if (outcome.status === "cancelled") tell(run, "run.cancelled")
    else tell(run, "run.failed", { error: outcome.cause })
  }

  function record(run: Run, outcome: Outcome): void {
    const facts: FinishedRun = {
      runId: run.id,
      agentKey: run.request.agent.key,
      sessionKey: run.sessionKey,
      channel: run.request.turn.channel,
      status: outcome.status,
      ...whoOf(run),
      usage: run.usage,
      attempts: run.attempts,
      costNanoUsd: run.costNanoUsd,
      startedAt: run.startedAt.toISOString(),
      durationMs: Date.now() - run.startedAt.getTime(),
      ...("cause" in outcome && { error: outcome.cause }),
      ...(run.request.origin && { origin: run.request.origin }),
    }
    host.hooks
      .call("run.finished", facts, { caller: run.caller, signal: new AbortController().signal })
      .catch((err: unknown) => host.log.warn({ err, ...run.named }, "run.finished failed"))
  }

  function conclude(run: Run, outcome: Outcome): void {
    // A run whose turn never came has told nothing, and has nothing to end.
    if (run.seated) announce(run, outcome)
    run.log.end()
    run.settle(outcome)
    record(run, outcome)
  }

  return {
    /** `more`: messages came in between, and the run has read them; it goes on. Otherwise the run has ended, and `next` is a queued one. */
    async complete(run: Run, outcome: Completed): Promise<{ more: boolean; next: string | null }> {
      const finished = await store(run, outcome)
      if (finished.outcome === "more") {
        for (const message of finished.injected) {
          run.consume(message)
          tell(run, "activity", { phase: "injected_message", content: message.content.slice(0, 200) })
        }
        return { more: true, next: null }
      }
      conclude(run, finished.outcome === "lost" ? await outcomes.interrupted(run) : outcome)
      return { more: false, next: finished.outcome === "finished" ? finished.next : null }
    },
    /** For every other end. Answers the queued run that comes next. */
    async cutOff(run: Run, outcome: CutOff): Promise<string | null> {
      if (run.seated) keepRemains(run, outcome.status === "cancelled" ? "[Stopped by user]" : undefined)
      let next: string | null = null
      try {
        const finished = await store(run, outcome)
        next = finished.outcome === "finished" ? finished.next : null
      } catch (err) {
        // Its lease runs out, and the next look ends it as interrupted.
        host.log.error({ err, ...run.named }, "end of a run not stored")
      }
      conclude(run, outcome)
      return next
    },
  }
}

/** As the event carries it. Source: wire contract, websocket 5.1. */
export function toldUsage(usage: Usage) {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    cache_creation_tokens: usage.cacheWriteTokens,
    cache_read_tokens: usage.cachedTokens,
  }
}

/** Who answered last, or whom it meant to ask. */
function whoOf({ answeredBy, provider, model }: Run): { provider: string; model: string } {
  return answeredBy ?? { provider, model }
}
