import { randomUUID } from "node:crypto"
import { type AgentProfile, Agents, type Caller, type ContentPart, cacheWishIn, type Host, headersOf, Passthrough, passedThrough, reply } from "@plugboard/sdk"
import type { Static } from "typebox"
import { chunks, completion, storedChunks } from "./completion-stream.ts"
import { type ChatRequest, wireUsage } from "./completion-wire.ts"
import type { Engine } from "./engine.ts"
import type { manifest } from "./manifest.ts"
import type { Outcomes } from "./outcome.ts"
import { keptStream, PassedStream } from "./passed-stream.ts"
import type { Rejoining } from "./rejoining.ts"
import type { Request } from "./run.ts"

type Body = Static<typeof ChatRequest>
type Headers = Readonly<Record<string, string | undefined>>
type Message = Body["messages"][number]

/** Chats over OpenAI's route. Each call opens a session of its own, with the earlier messages of the request as its history. */
export function createCompletions(host: Host<typeof manifest>, engine: Engine, outcomes: Outcomes, rejoining: Rejoining) {
  const agents = host.use(Agents)

  /** `goclaw:KEY` and `agent:KEY` name an agent; every other model text means what the headers, the body or the default say. */
  async function agentOf(caller: Caller, body: Body, headers: Headers): Promise<AgentProfile> {
    const ref = /^(?:goclaw|agent):(.+)$/.exec(body.model ?? "")?.[1] ?? (headers["x-goclaw-agent-id"] || headers["x-goclaw-agent"] || body.agent || "")
    const agent = ref === "" || ref === "default" ? await agents.fallback(caller) : await agents.resolve(caller, ref)
    if (agent?.status !== "active") throw host.fail("unknown_agent", { agent: (ref || "default").slice(0, 100) })
    return agent
  }

  /** The body's `user` counts when nobody else has said who it is. Source: wire contract, http-core 3. */
  function callerOf(caller: Caller, body: Body, headers: Headers): Caller {
    return body.user && !caller.userFixed && headers["x-goclaw-user-id"] === undefined ? { ...caller, userId: body.user } : caller
  }

  function requestOf(caller: Caller, agent: AgentProfile, body: Body, headers: Headers): Request {
    const runId = randomUUID()
    const last = body.messages.findLastIndex((message) => message.role === "user")
    const asked = body.messages[last]
    if (!asked || textOf(asked) === "") throw host.fail("no_message", {})
    const earlier = body.messages.slice(0, last).filter((message) => (message.role === "user" || message.role === "assistant") && textOf(message) !== "")
    const parts = partsOf(asked)
    return {
      runId,
      agent,
      stream: body.stream ?? false,
      instructions: body.messages.filter((message) => message.role === "system" || message.role === "developer").map(textOf),
      model: headers["x-goclaw-model"],
      maxTokens: body.max_completion_tokens ?? body.max_tokens,
      temperature: body.temperature,
      cache: cacheWishIn(headers["cache-control"]),
      turn: {
        sessionKey: `agent:${agent.key}:http-${caller.userId}-${runId.slice(0, 8)}`.slice(0, 500),
        agentKey: agent.key,
        channel: "http",
        chatId: "api",
        message: textOf(asked),
        ...(parts && { parts }),
        history: earlier.map((message) => ({ role: message.role as "user" | "assistant", content: textOf(message), ...(partsOf(message) && { parts: partsOf(message) }) })),
        whenBusy: "queue",
        idempotencyKey: headers["idempotency-key"]?.slice(0, 255) || undefined,
      },
    }
  }

  /** Null when the request means an agent: a header or the body that names one counts before the model's text. */
  async function targetOf(caller: Caller, { model = "", agent }: Body, headers: Headers) {
    if (!model.includes("/") || headers["x-goclaw-agent-id"] || headers["x-goclaw-agent"] || agent || !host.has(Passthrough)) return null
    return host.use(Passthrough).find(caller, model)
  }

  return async function completions({ body, caller: given, headers, signal }: { body: Body; caller: Caller; headers: Headers; signal: AbortSignal }) {
    const caller = callerOf(given, body, headers)
    const lastId = headers["last-event-id"]
    if (lastId && body.stream) {
      const { runId, frames } = await rejoining.rejoin(caller, lastId, signal)
      return reply.sse(frames, { "x-run-id": runId })
    }
    const target = await targetOf(caller, body, headers)
    if (target) {
      const asked = { ...target, cache: cacheWishIn(headers["cache-control"]) }
      const ask = (ending: AbortSignal) => host.use(Passthrough).chat(caller, asked, body, ending)
      if (!body.stream || !headers["x-stream-ids"]) return passedThrough(ask(signal))
      const answer = await keptStream(ask, signal)
      return answer instanceof PassedStream ? reply.sse(rejoining.beginPassed(caller, answer, signal), headersOf(answer.head)) : passedThrough(answer)
    }
    const agent = await agentOf(caller, body, headers)
    const request = requestOf(caller, agent, body, headers)
    const started = await engine.start(caller, request)
    if (started.outcome === "injected") throw new Error("a session of its own was busy")
    const runId = started.outcome === "run" ? started.run.id : started.answer.runId
    const shape = { id: `chatcmpl-${runId.slice(0, 8)}`, created: Math.floor(Date.now() / 1_000), model: body.model || `goclaw:${agent.key}` }
    const answerHeaders: Record<string, string> = { "x-run-id": runId }
    if (started.outcome === "answered") {
      const { content, status, usage: counted } = started.answer
      if (status !== "completed") throw outcomes.failureIn(started.answer)
      const usage = counted && wireUsage(counted)
      if (!body.stream) return reply.json(completion(shape, content, "stop", usage), { headers: answerHeaders })
      return reply.sse(storedChunks(shape, content, body.stream_options?.include_usage ? usage : undefined), answerHeaders)
    }
    const { run } = started
    const tellHead = () => {
      if (run.cache) answerHeaders["x-cache"] = run.cache
      if (run.nearBudgets) answerHeaders["x-budget-warning"] = run.nearBudgets
    }
    const frames = () => chunks(run, shape, body.stream_options?.include_usage ?? false, outcomes, tellHead)
    if (body.stream && run.id === request.runId && headers["x-stream-ids"]) return reply.sse(rejoining.begin(run, frames, signal), answerHeaders)
    // The one who asked is gone: nobody reads on. A repeated request leaves the first one's run alone.
    if (run.id === request.runId) whenGone(signal, () => engine.stop(run, signal.reason?.message === "the gateway stops" ? "interrupted" : "cancelled"))
    if (body.stream) return reply.sse(frames(), answerHeaders)
    const outcome = await run.done
    if (outcome.status !== "completed") throw outcomes.failureOf(outcome)
    tellHead()
    return reply.json(completion(shape, outcome.content, outcome.finish, wireUsage(outcome.usage)), { headers: answerHeaders })
  }
}

function whenGone(signal: AbortSignal, leave: () => void): void {
  if (signal.aborted) leave()
  else signal.addEventListener("abort", leave, { once: true })
}

function textOf({ content }: Message): string {
  if (typeof content === "string") return content
  return (content ?? []).map((part) => part.text ?? "").join("")
}

/** Undefined when all of it is text. */
function partsOf({ content }: Message): ContentPart[] | undefined {
  if (!Array.isArray(content) || !content.some((part) => part.image_url)) return undefined
  return content.flatMap((part): ContentPart[] => (part.image_url ? [{ type: "image", url: part.image_url.url }] : part.text ? [{ type: "text", text: part.text }] : []))
}
