import { type Caller, definePlugin, type HeadedDeltas, headedDeltas, type LlmRequest, type ModelMessage, type ModelTarget, Passthrough, Providers } from "@plugboard/sdk"
import { type Asked, askedOf, askedRequest, type Body } from "./asked.ts"
import { type CallRecord, createCallRecords } from "./call-record.ts"
import { insertCalls, pruneCalls } from "./calls.ts"
import { clientFailure } from "./client-failures.ts"
import { createVectors } from "./embeddings.ts"
import { createForwarded } from "./forwarded.ts"
import { manifest } from "./manifest.ts"
import { hasBytes } from "./pieces.ts"
import { createAnswers } from "./translated.ts"
import { firstRecorded, usageGroups } from "./usage.ts"

export default definePlugin(manifest, (host) => {
  const providers = host.use(Providers)
  const records = createCallRecords(host, (caller, rows) => insertCalls(host.db.for(caller), rows))
  const forwarded = createForwarded(host)
  const { answer, translated } = createAnswers(host)
  const vectors = createVectors(host)

  /** Passes on what a call says and records how it ended: by itself, by a failure, or because its client left. */
  async function* recorded<T>(record: CallRecord, provider: string, parts: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
    let outcome: Parameters<CallRecord["end"]>[0] = "cancelled"
    try {
      yield* parts
      outcome = "completed"
    } catch (error) {
      if (!signal.aborted) outcome = { error }
      throw clientFailure(host, provider, error)
    } finally {
      record.end(outcome)
    }
  }

  function inPieces(caller: Caller, target: ModelTarget, request: LlmRequest, channel: string, signal: AbortSignal): HeadedDeltas {
    const record = records.open(caller, target, channel, () => request.messages)
    async function* call() {
      const { provider, request: shaped } = await askedRequest(host, caller, record.id, target, request, signal)
      yield* answer({ caller, record, provider, request: shaped, signal })
    }
    return recorded(record, target.provider, call(), signal)
  }

  host.offer(Passthrough, {
    usage: (caller, from, to, most, skip) => usageGroups(host.db.for(caller), from, to, most, skip),
    usedSince: (caller, from) => firstRecorded(host.db.for(caller), from),
    async find(caller, model) {
      const [, provider = "", name = ""] = /^([a-z0-9][a-z0-9-]{0,99})\/(.+)$/.exec(model) ?? []
      const facts = provider === "" ? null : await providers.facts(caller, provider)
      if (!facts) return null
      if (!facts.enabled) throw host.fail("provider_off", { provider })
      return { provider, model: name }
    },
    chat(caller, target, body, signal) {
      const { provider, model } = target
      const record = records.open(caller, { provider, model }, "chat/completions", () => promptOf(body))
      async function* call() {
        const asked = await askedOf(host, caller, record.id, target, body, signal)
        const facts = await providers.facts(caller, asked.provider)
        if (!facts?.forwards) return yield* translated(caller, record, asked, signal)
        const calling = { runId: record.id, agentKey: "", provider: asked.provider, iteration: 1, body: asked.body, cache: asked.cache }
        const verdict = await host.hooks.call("llm.calling", calling, { caller, signal })
        const isTold = verdict && "answer" in verdict && !hasBytes(verdict.answer)
        yield* isTold ? translated(caller, record, asked, signal, verdict) : forwarded({ path: "/chat/completions", caller, record, asked, verdict, signal })
      }
      return recorded(record, target.provider, call(), signal)
    },
    embeddings(caller, target, body, signal) {
      const record = records.open(caller, target, "embeddings", () => [])
      async function* call() {
        const asked: Asked = { ...target, body: { ...body, model: target.model } }
        const facts = await providers.facts(caller, target.provider)
        if (!facts?.embeds) throw host.fail("no_embeddings", { provider: target.provider })
        yield* facts.forwards ? forwarded({ path: "/embeddings", caller, record, asked, signal }) : vectors(caller, record, asked, signal)
      }
      return recorded(record, target.provider, call(), signal)
    },
    answer: inPieces,
    deltas: (...asked) => headedDeltas(inPieces(...asked), {}),
  })
  return {
    jobs: { prune: (_, { caller }) => pruneCalls(host.db.for(caller), host.config.keepDays) },
    stop: () => records.stop(),
  }
})

/** Enough to estimate what it costs: a picture is not as long as its bytes. */
function promptOf({ messages }: Body): ModelMessage[] {
  const told = messages as readonly { content?: string | readonly { text?: string }[] | null }[]
  const partOf = ({ text }: { text?: string }) => (text === undefined ? { type: "image" as const, url: "" } : { type: "text" as const, text })
  return told.map(({ content }) => ({ role: "user", content: typeof content === "string" ? content : (content ?? []).map(partOf) }))
}
