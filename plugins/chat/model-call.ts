import { setTimeout as sleep } from "node:timers/promises"
import { AnswerBuilder, type Delta, estimateUsage, failureOf, type Host, type LlmCall, type ModelMessage, Providers, type Usage } from "@plugboard/sdk"
import { type manifest, passing } from "./manifest.ts"
import type { Run } from "./run.ts"
import type { Telling } from "./telling.ts"

export interface ModelAnswer {
  message: ModelMessage
  usage: Usage
  finish: string
}

/** The whole answer of a model that has nothing to say. Source: wire contract, websocket 6.5. */
export const silence = "NO_REPLY"

/** One model call: attempts until something is said, then the stream to its end. Usage is counted on every way out, also when the stream breaks. */
export function createModelCall(host: Host<typeof manifest>, { tell, tellDeltas }: Telling) {
  const providers = host.use(Providers)

  return async function callModel(run: Run, call: LlmCall, spend: (usage: Usage) => void): Promise<ModelAnswer> {
    run.signal.throwIfAborted()
    let target = call
    for (let attempt = 1; ; attempt += 1) {
      const stream = new Stream(run, tellDeltas)
      try {
        const deltas = providers.chat(run.caller, target.provider, target.request, run.signal)
        for await (const batch of host.hooks.pipe("llm.stream", deltas, { caller: run.caller, signal: run.signal })) stream.take(batch)
        stream.release()
        const usage = stream.usage ?? estimateUsage(target.request.messages, stream.size)
        spend(usage)
        return { message: stream.message(), usage, finish: stream.finish }
      } catch (error) {
        stream.release()
        if (stream.begun || stream.usage || leftAtWork(run, error)) spend(stream.usage ?? estimateUsage(target.request.messages, stream.size))
        if (run.signal.aborted || stream.begun || attempt >= host.config.maxAttempts) throw error
        const again = await recovery(run, target, attempt, error)
        if (!again) throw error
        tell(run, "run.retrying", { attempt: String(attempt), maxAttempts: String(host.config.maxAttempts), error: (await host.describe(error, run.caller.locale)) ?? "" })
        await sleep(again.waitMs, undefined, { signal: run.signal })
        target = { ...target, provider: again.provider, request: { ...target.request, model: again.model } }
      }
    }
  }

  /** What a plugin says, else the rule: a fault that passes is tried again soon; a wait that is asked for and too long is not waited for. */
  async function recovery(run: Run, call: LlmCall, attempt: number, error: unknown): Promise<{ waitMs: number; provider: string; model: string } | null> {
    const failure = failureOf(error)
    const name = failure?.name.slice(failure.name.indexOf(".") + 1) ?? ""
    const own = await host.hooks.call(
      "llm.failed",
      { runId: run.id, provider: call.provider, model: call.request.model, attempt, error: name, retryAfterMs: failure?.retryAfterMs, begun: false },
      { caller: run.caller, signal: run.signal },
    )
    if (own) return { waitMs: own.retryInMs ?? 0, provider: own.provider ?? call.provider, model: own.model ?? call.request.model }
    const waitMs = failure?.retryAfterMs ?? 250 * 2 ** (attempt - 1)
    return passing.has(name) && waitMs <= host.config.maxRetryWaitMs ? { waitMs, provider: call.provider, model: call.request.model } : null
  }
}

/** True when the provider was left while it worked on an answer, which it bills whether or not a byte of it came; one that refuses bills nothing. */
function leftAtWork(run: Run, error: unknown): boolean {
  return run.signal.aborted || failureOf(error)?.name.endsWith(".provider_timeout") === true
}

/** Puts the pieces of one answer together and passes text on as it comes. */
class Stream {
  begun = false
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
      this.begun ||= delta.type === "text" || delta.type === "thinking" || delta.type === "tool"
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
