import { type AgentProfile, type Caller, type Host, Runs, Sessions } from "@plugboard/sdk"
import type { End } from "./logs.ts"
import type { manifest } from "./manifest.ts"
import type { HeartbeatRow } from "./store.ts"

/** Characters of an answer that the log keeps. */
const summaryChars = 500
/** As the whole answer it means silence, and the run has no content then. Source: wire contract, websocket 6.5. */
const silence = "NO_REPLY"
const usualPrompt = "Go through your checklist and do what is due now."
const rules = `This turn comes by the clock; nobody has written. Do what is due. Answer ${silence} when there is nothing that somebody should read.`
/** Where an answer can go: into a session, which its key names. */
const sessionChannels = new Set(["ws", "session"])

/** True for an answer that says no more than that all is well. */
function isAcknowledgement(content: string, maxChars: number): boolean {
  const text = content.trim()
  if (text === "") return true
  return (text.startsWith(silence) || text.endsWith(silence)) && text.replaceAll(silence, "").trim().length <= maxChars
}

/** One attempt of a beat: a run of the agent, and its answer where it is to go. `stopped`: this gateway stops, and another goes on. */
export function createBeat(host: Host<typeof manifest>) {
  const runs = host.use(Runs)
  const sessions = host.use(Sessions)

  /** Null when it has arrived or is to go nowhere, else why not. */
  async function deliver(caller: Caller, { channel, chat_id }: HeartbeatRow, agent: AgentProfile, content: string): Promise<string | null> {
    if (channel === "") return null
    const told = (error: unknown) => host.describe(error, caller.locale)
    if (!sessionChannels.has(channel)) return told(host.fail("no_channel", { channel }))
    try {
      if (await sessions.append(caller, chat_id, `[${agent.displayName || agent.key}]\n\n${content}`)) return null
      return told(host.fail("no_session", { session: chat_id.slice(0, 100) }))
    } catch (error) {
      return (await told(error)) ?? "not delivered"
    }
  }

  async function attempt(caller: Caller, beat: Beat, signal: AbortSignal): Promise<Omit<End, "durationMs"> | "stopped"> {
    const { heartbeat, agent, checklist, log, sessionKey } = beat
    const { runId } = await runs.start(caller, {
      agent,
      instructions: [rules, ...(checklist.trim() === "" ? [] : [`## HEARTBEAT.md\n\n${checklist.trim()}`])],
      sessionKey,
      channel: "heartbeat",
      chatId: heartbeat.id,
      message: heartbeat.prompt.trim() || usualPrompt,
      ...(heartbeat.light_context && { light: true }),
      ...(heartbeat.provider_name && { provider: heartbeat.provider_name }),
      ...(heartbeat.model && { model: heartbeat.model }),
      idempotencyKey: `heartbeat:${log}`,
    })
    const answer = await runs.ended(caller, runId, signal)
    if (answer?.status === "interrupted" && signal.aborted) return "stopped"
    const used = { inputTokens: answer?.usage?.promptTokens ?? 0, outputTokens: answer?.usage?.completionTokens ?? 0 }
    if (answer?.status !== "completed") return { status: "error", summary: null, error: answer?.error ?? answer?.status ?? "the run is gone", skipReason: null, ...used }
    const summary = answer.content.slice(0, summaryChars)
    if (isAcknowledgement(answer.content, heartbeat.ack_max_chars)) return { status: "suppressed", summary, error: null, skipReason: null, ...used }
    return { status: "ok", summary, error: null, skipReason: await deliver(caller, heartbeat, agent, answer.content), ...used }
  }

  return async function takeBeat(caller: Caller, beat: Beat, signal: AbortSignal): Promise<End | "stopped"> {
    const began = performance.now()
    const timed = <T extends object>(end: T) => ({ ...end, durationMs: Math.round(performance.now() - began) })
    try {
      const end = await attempt(caller, beat, signal)
      return end === "stopped" ? end : timed(end)
    } catch (error) {
      if (signal.aborted) return "stopped"
      const cause = await host.describe(error, caller.locale)
      if (cause === null) host.log.error({ err: error, heartbeat: beat.heartbeat.id, tenant: caller.tenantId }, "heartbeat failed")
      return timed({ status: "error" as const, summary: null, error: cause ?? "internal error", skipReason: null, inputTokens: 0, outputTokens: 0 })
    }
  }
}

export interface Beat {
  heartbeat: HeartbeatRow
  agent: AgentProfile
  checklist: string
  /** Id of its row in the log. */
  log: string
  sessionKey: string
}
