import {
  AnswerBuilder,
  AnswerKeeper,
  type AttemptReport,
  addUsage,
  type BudgetHold,
  type Delta,
  deltasOf,
  estimateUsage,
  type Host,
  heldAnswer,
  holdBudget,
  type KeptAnswer,
  keptDeltas,
  type LlmCall,
  type ModelMessage,
  Providers,
  type Route,
  savedUsage,
  type Usage,
} from "@plugboard/sdk"
import { type Answering, keepAttempt } from "./attempts.ts"
import type { manifest } from "./manifest.ts"
import type { Run } from "./run.ts"
import type { Telling } from "./telling.ts"

export interface ModelAnswer {
  /** Who gave it. */
  provider: string
  model: string
  message: ModelMessage
  usage: Usage
  finish: string
  /** What a plugin wants to keep of it. */
  keeper?: AnswerKeeper
}

/** The whole answer of a model that has nothing to say. Source: wire contract, websocket 6.5. */
export const silence = "NO_REPLY"

/** One model call. Whoever of the agent's chain answers, the client sees one answer; usage is counted on every way out, also when the stream breaks. */
export function createModelCall(host: Host<typeof manifest>, { tell, tellDeltas }: Telling) {
  const providers = host.use(Providers)

  /** An answer that was given before, as if it came now. Nobody is asked, and the run has saved what it cost. */
  async function repeat(run: Run, kept: KeptAnswer): Promise<ModelAnswer> {
    const stream = new Stream(run, tellDeltas)
    for await (const batch of host.hooks.pipe("llm.stream", keptDeltas(kept), { caller: run.caller, signal: run.signal })) stream.take(batch)
    stream.release()
    const { provider, model } = kept
    const usage = savedUsage(kept.usage)
    run.answeredBy = { provider, model }
    run.usage = addUsage(run.usage, usage)
    return { provider, model, message: stream.message(), usage, finish: stream.finish }
  }

  return async function callModel(run: Run, { provider, request, iteration }: LlmCall): Promise<ModelAnswer> {
    const { agent } = run.request
    const calling = { runId: run.id, agentKey: agent.key, provider, iteration, request, cache: request.cache }
    const verdict = await host.hooks.call("llm.calling", calling, { caller: run.caller, signal: run.signal })
    if (verdict) run.cache = "answer" in verdict && run.cache !== "miss" ? "hit" : "miss"
    if (verdict && "answer" in verdict) return repeat(run, verdict.answer)
    const keeper = verdict && new AnswerKeeper(verdict.keep)
    const { modelFallback: fallback } = agent
    const route: Route = {
      provider,
      runId: run.id,
      // Calls are made when the answer is whole.
      hidesToolCalls: true,
      ...(fallback && { fallbacks: fallback.candidates, inTurn: fallback.strategy === "round_robin" }),
    }
    let answering: Answering | undefined
    function take({ attempt, number, most, again }: AttemptReport): void {
      const kept = keepAttempt(run, iteration, attempt)
      if (attempt.error === undefined) answering = kept
      if (again) tell(run, "run.retrying", { attempt: String(number), maxAttempts: String(most), error: attempt.reason ?? "" })
    }
    const stream = new Stream(run, tellDeltas)
    let hold: BudgetHold | undefined
    const spentBefore = run.spent.length
    const setAside = async () => {
      const { model, maxTokens, messages, tools } = request
      hold = await holdBudget(host, run.caller, { agent, provider, model, maxTokens }, { messages, tools })
      if (hold?.near) run.nearBudgets = hold.near
      return hold
    }
    const answer = heldAnswer(
      setAside,
      // A stream can be cut off where a budget ends, also for a client that wants the answer whole.
      (held) => providers.answer(run.caller, route, held?.bound === undefined ? request : { ...request, stream: true }, run.signal),
      () => stream.size / 4,
    )
    const deltas = deltasOf(answer, take)
    try {
      for await (const batch of host.hooks.pipe("llm.stream", deltas, { caller: run.caller, signal: run.signal })) {
        stream.take(batch)
        keeper?.take(batch)
      }
      stream.release()
    } catch (error) {
      stream.release()
      answering?.end(stream.usage ?? estimateUsage(request.messages, stream.size), error)
      hold?.settle(run.spent.slice(spentBefore))
      throw error
    }
    const usage = stream.usage ?? estimateUsage(request.messages, stream.size)
    answering?.end(usage)
    hold?.settle(run.spent.slice(spentBefore))
    const { provider: answeredBy, model } = answering?.attempt ?? { provider, model: request.model }
    return { provider: answeredBy, model, message: stream.message(), usage, finish: stream.finish, ...(keeper && { keeper }) }
  }
}

/** Puts the pieces of one answer together and passes text on as it comes. */
class Stream {
  readonly #run: Run
  readonly #pass: Telling["tellDeltas"]
  readonly #answer = new AnswerBuilder()
  /** Text that may become the word for silence, which nobody is to see. */
  #held: string[] | undefined = []

  constructor(run: Run, pass: Telling["tellDeltas"]) {
    this.#run = run
    this.#pass = pass
    run.text = ""
    run.thinking = ""
  }

  get usage(): Usage | undefined {
    return this.#answer.usage
  }
  get finish(): string {
    return this.#answer.finish
  }
  get size(): number {
    return this.#answer.size
  }
  message(): ModelMessage {
    return this.#answer.message()
  }

  take(batch: readonly Delta[]): void {
    this.#answer.take(batch)
    this.#run.text = this.#answer.text
    this.#run.thinking = this.#answer.thinking
    let kind: "chunk" | "thinking" | undefined
    let texts: string[] = []
    const flush = () => {
      if (kind && texts.length > 0) this.#tell(kind, texts)
      texts = []
    }
    for (const delta of batch) {
      const next = delta.type === "text" ? "chunk" : delta.type === "thinking" ? "thinking" : undefined
      if (next !== kind) flush()
      kind = next
      if (delta.type === "text" || delta.type === "thinking") texts.push(delta.text)
    }
    flush()
  }

  /** What was held back is an answer after all, unless it is the word itself. */
  release(): void {
    const held = this.#held
    this.#held = undefined
    if (held && held.length > 0 && this.#run.text.trim() !== silence) this.#pass(this.#run, "chunk", held)
  }

  #tell(kind: "chunk" | "thinking", texts: string[]): void {
    if (kind === "thinking" || !this.#held) {
      this.#pass(this.#run, kind, texts)
      return
    }
    this.#held.push(...texts)
    if (silence.startsWith(this.#run.text.trim()) && this.#run.text.length < 32) return
    const held = this.#held
    this.#held = undefined
    this.#pass(this.#run, "chunk", held)
  }
}
