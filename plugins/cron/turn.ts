import { Agents, type Caller, type Host, Runs, Sessions } from "@plugboard/sdk"
import type { End } from "./history.ts"
import type { manifest } from "./manifest.ts"
import type { JobRow } from "./store.ts"

/** Characters of an answer that the history keeps. */
const summaryChars = 500

/** One attempt of a job: a run in the job's own session, and its answer where it is to go. `stopped`: this gateway stops, and another goes on with the job. */
export function createTurn(host: Host<typeof manifest>) {
  const agents = host.use(Agents)
  const runs = host.use(Runs)
  const sessions = host.use(Sessions)

  /** Null when it has arrived, else why not. */
  async function deliver(caller: Caller, job: JobRow, content: string): Promise<string | null> {
    if (!job.deliver || content.trim() === "" || content.trim() === "NO_REPLY") return null
    const told = (error: unknown) => host.describe(error, caller.locale)
    try {
      if (await sessions.append(caller, job.deliver_to, `[${job.name}]\n\n${content}`)) return null
      return told(host.fail("undelivered", { session: job.deliver_to.slice(0, 100) }))
    } catch (error) {
      return (await told(error)) ?? "not delivered"
    }
  }

  async function attempt(caller: Caller, job: JobRow, entry: string, signal: AbortSignal): Promise<Omit<End, "durationMs"> | "stopped"> {
    const agent = await (job.agent_id === "" ? agents.fallback(caller) : agents.resolve(caller, job.agent_id))
    const sessionKey = `agent:${agent?.key ?? job.agent_id}:cron:${job.id}`
    if (!job.stateless) await sessions.clear(caller, sessionKey)
    const { runId } = await runs.start(caller, {
      agent: agent?.key ?? job.agent_id,
      sessionKey,
      channel: "cron",
      chatId: job.id,
      message: job.message,
      fresh: job.stateless,
      idempotencyKey: `cron:${entry}`,
    })
    const answer = await runs.ended(caller, runId, signal)
    if (answer?.status === "interrupted" && signal.aborted) return "stopped"
    const used = { inputTokens: answer?.usage?.promptTokens ?? null, outputTokens: answer?.usage?.completionTokens ?? null }
    if (answer?.status !== "completed") return { status: "error", error: answer?.error ?? answer?.status ?? "the run is gone", summary: null, ...used }
    return { status: "ok", error: await deliver(caller, job, answer.content), summary: answer.content.slice(0, summaryChars), ...used }
  }

  return async function takeTurn(caller: Caller, job: JobRow, entry: string, signal: AbortSignal): Promise<End | "stopped"> {
    const began = performance.now()
    const timed = <T extends object>(end: T) => ({ ...end, durationMs: Math.round(performance.now() - began) })
    try {
      const end = await attempt(caller, job, entry, signal)
      return end === "stopped" ? end : timed(end)
    } catch (error) {
      if (signal.aborted) return "stopped"
      const cause = await host.describe(error, caller.locale)
      if (cause === null) host.log.error({ err: error, job: job.id, tenant: caller.tenantId }, "scheduled run failed")
      return timed({ status: "error" as const, error: cause ?? "internal error", summary: null, inputTokens: null, outputTokens: null })
    }
  }
}
