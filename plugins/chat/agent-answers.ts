import { randomUUID } from "node:crypto"
import {
  type AgentAnswersService,
  type AgentProfile,
  type Caller,
  type ContentPart,
  type Delta,
  type HeadedDeltas,
  type Host,
  headedDeltas,
  type LlmRequest,
  type ModelMessage,
} from "@plugboard/sdk"
import type { Engine } from "./engine.ts"
import type { manifest } from "./manifest.ts"
import type { Outcomes } from "./outcome.ts"
import type { Request, Run } from "./run.ts"
import { meantAgent } from "./send.ts"

/** Turns for routes that speak another format than this plugin's own. */
export function createAgentAnswers(host: Host<typeof manifest>, engine: Engine, outcomes: Outcomes): AgentAnswersService {
  function requestOf(caller: Caller, agent: AgentProfile, request: LlmRequest, channel: string): Request {
    const runId = randomUUID()
    const last = request.messages.findLastIndex(({ role }) => role === "user")
    const asked = request.messages[last]
    if (!asked || asked.content.length === 0) throw host.fail("no_message", {})
    const earlier = request.messages.slice(0, last).filter(({ role, content }) => (role === "user" || role === "assistant") && content.length > 0)
    return {
      runId,
      agent,
      stream: request.stream,
      instructions: request.messages.filter(({ role }) => role === "system").map(textOf),
      maxTokens: request.maxTokens,
      temperature: request.temperature,
      ...(request.cache && { cache: request.cache }),
      turn: {
        sessionKey: `agent:${agent.key}:${channel}-${caller.userId}-${runId.slice(0, 8)}`.slice(0, 500),
        agentKey: agent.key,
        channel: "http",
        chatId: "api",
        message: textOf(asked),
        ...partsOf(asked),
        history: earlier.map((message) => ({ role: message.role as "user" | "assistant", content: textOf(message), ...partsOf(message) })),
        whenBusy: "queue",
      },
    }
  }

  async function* answer(caller: Caller, ref: string, request: LlmRequest, channel: string, signal: AbortSignal): HeadedDeltas {
    const agent = await meantAgent(host, caller, ref, undefined)
    const started = await engine.start(caller, requestOf(caller, agent, request, channel))
    if (started.outcome !== "run") throw new Error("a session of its own was busy")
    const { run } = started
    const leave = () => engine.stop(run, signal.reason?.message === "the gateway stops" ? "interrupted" : "cancelled")
    signal.addEventListener("abort", leave, { once: true })
    if (signal.aborted) leave()
    let isHeaded = false
    for await (const batch of said(run)) {
      if (!isHeaded) yield headOf(run)
      isHeaded = true
      yield batch
    }
    const outcome = await run.done
    if (outcome.status !== "completed") throw outcomes.failureOf(outcome)
    if (!isHeaded) yield headOf(run)
    yield [
      { type: "usage", usage: outcome.usage },
      { type: "finish", reason: outcome.finish },
    ]
  }

  return { answer, deltas: (...asked) => headedDeltas(answer(...asked), {}) }
}

/** Known with the first token. */
function headOf({ id, cache, nearBudgets: budget }: Run) {
  return { head: { runId: id, ...(cache && { cache }), ...(budget && { budget }) } }
}

/** Text and thinking; text before and after tools is one, with a blank line between the rounds. */
async function* said(run: Run): AsyncIterable<readonly Delta[]> {
  let begun = false
  let roundBegins = false
  for await (const batch of run.log.read()) {
    const deltas: Delta[] = []
    for (const { type, payload } of batch) {
      if (type === "tool.result") roundBegins = begun
      else if (type === "thinking") deltas.push({ type, text: payload?.content as string })
      else if (type === "chunk") {
        deltas.push({ type: "text", text: roundBegins ? `\n\n${payload?.content as string}` : (payload?.content as string) })
        begun = true
        roundBegins = false
      }
    }
    if (deltas.length > 0) yield deltas
  }
}

function textOf({ content }: ModelMessage): string {
  return typeof content === "string" ? content : content.map((part) => (part.type === "text" ? part.text : "")).join("")
}

/** Nothing when all of it is text. */
function partsOf({ content }: ModelMessage): { parts?: ContentPart[] } {
  return typeof content !== "string" && content.some((part) => part.type !== "text") ? { parts: [...content] } : {}
}
