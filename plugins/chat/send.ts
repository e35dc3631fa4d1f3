import { randomUUID } from "node:crypto"
import { type AgentProfile, Agents, type Caller, type Host, type RpcCall, Sessions, type Usage } from "@plugboard/sdk"
import { endWait, mirror, OpenedSessions, withinPatience } from "./cli.ts"
import type { Engine } from "./engine.ts"
import { Lanes } from "./lanes.ts"
import type { manifest } from "./manifest.ts"
import type { Outcome, Outcomes } from "./outcome.ts"
import type { Run } from "./run.ts"

interface Params {
  message: string
  agentId?: string
  sessionKey?: string
  stream?: boolean
  media?: unknown[]
  chatId?: string
  modelOverride?: string
  idempotencyKey?: string
}

/** Said while a run is under way, these stop it. Source: wire contract, websocket 4.2. */
const stopWords = new Set(["stop", "cancel", "abort", "nevermind", "never mind", "thôi", "dừng", "hủy", "取消", "停"])

/** The agent that a call means: by name, by its session's key, or the default one. */
export async function meantAgent(host: Host<typeof manifest>, caller: Caller, agentId: string | undefined, sessionKey: string | undefined): Promise<AgentProfile> {
  const agents = host.use(Agents)
  const ref = agentId || /^agent:([^:]+):/.exec(sessionKey ?? "")?.[1] || "default"
  const agent = ref === "default" ? await agents.fallback(caller) : await agents.resolve(caller, ref)
  if (agent?.status !== "active") throw host.fail("unknown_agent", { agent: ref.slice(0, 100) })
  return agent
}

/** `chat.send`: answers when the run has ended, or at once when the text went to a run under way. */
export function createSend(host: Host<typeof manifest>, engine: Engine, outcomes: Outcomes) {
  const sessions = host.use(Sessions)
  const opened = new OpenedSessions()
  const lanes = new Lanes()

  async function stopByWord(caller: Caller, sessionKey: string, message: string): Promise<{ cancelled: true; aborted: boolean } | null> {
    if (!stopWords.has(message.trim().toLowerCase())) return null
    const facts = await sessions.facts(caller, sessionKey)
    if (!facts?.activeRun) return null
    engine.abort(caller, facts.activeRun)
    return { cancelled: true, aborted: true }
  }

  function answerOf(runId: string, outcome: Outcome): Record<string, unknown> {
    if (outcome.status === "cancelled") return { cancelled: true }
    // On the socket every failed run is INTERNAL, with the cause in words. Source: wire contract, websocket 4.2.
    if (outcome.status !== "completed") throw outcome.status === "failed" ? host.fail("run_failed", { cause: outcome.cause }, { cause: outcome.error }) : outcome.error
    return { runId, content: outcome.content, usage: usageOf(outcome.usage), ...(outcome.thinking !== "" && { thinking: outcome.thinking }) }
  }

  async function answered(run: Run): Promise<Record<string, unknown>> {
    return answerOf(run.id, await run.done)
  }

  return async function send(params: Params, call: RpcCall): Promise<Record<string, unknown>> {
    const { caller, cliProfile } = call
    const { message, media } = params
    if (message.trim() === "" && !media?.length) throw host.fail("no_message", {})
    const find = () => meantAgent(host, caller, params.agentId, params.sessionKey)
    // A look-up may take longer for the first message than for one behind it.
    const agent = await (params.sessionKey === undefined ? find() : lanes.run(`${caller.tenantId}\n${params.sessionKey}`, find))
    const make = () => `agent:${agent.key}:ws:direct:${randomUUID()}`
    const sessionKey = params.sessionKey ?? (cliProfile ? opened.keyFor(call, agent.key, make) : make())
    const stopped = await stopByWord(caller, sessionKey, message)
    if (stopped) {
      if (cliProfile) endWait(call, "")
      return stopped
    }
    const started = await engine.start(caller, {
      runId: randomUUID(),
      agent,
      stream: params.stream ?? cliProfile,
      instructions: [],
      ...(params.modelOverride && { model: params.modelOverride }),
      turn: {
        sessionKey,
        agentKey: agent.key,
        channel: "ws",
        chatId: params.chatId || caller.userId,
        message,
        whenBusy: media?.length ? "queue" : "inject",
        idempotencyKey: params.idempotencyKey,
      },
    })
    if (started.outcome === "injected") {
      if (cliProfile) endWait(call, started.runId)
      return { injected: true }
    }
    if (started.outcome === "answered") {
      const { answer } = started
      if (answer.status === "cancelled") return { cancelled: true }
      if (answer.status !== "completed") throw outcomes.failureIn(answer)
      return { runId: answer.runId, content: answer.content, ...(answer.usage && { usage: usageOf(answer.usage) }) }
    }
    if (!cliProfile) return answered(started.run)
    const told = mirror(call, started.run)
    return withinPatience(
      started.run,
      told.then(() => answered(started.run)),
    )
  }
}

/** Source: wire contract, websocket 4.2. The cache counters have other names here than in the event. */
export function usageOf(usage: Usage) {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    ...(usage.cacheWriteTokens > 0 && { cache_creation_input_tokens: usage.cacheWriteTokens }),
    ...(usage.cachedTokens > 0 && { cache_read_input_tokens: usage.cachedTokens }),
    ...(usage.reasoningTokens > 0 && { thinking_tokens: usage.reasoningTokens }),
  }
}
