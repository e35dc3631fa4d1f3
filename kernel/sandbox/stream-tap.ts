import { type Delta, failureOf, type HookContext, type HookName, hookDefinitions, type Log, type TapDecl } from "@plugboard/sdk"
import { fail } from "../failures.ts"
import { isStream } from "./contract.ts"
import { checkBatch } from "./hook-answers.ts"
import type { Instance } from "./instance.ts"
import { LentStream } from "./lent-stream.ts"

interface StreamTap {
  plugin: string
  name: HookName
  decl: TapDecl
  log: Log
}

/**
 * A tap on a stream, in another process. It crosses in batches: a frame for each delta would cost more than the delta. Where the tap gives its stream back untouched, ours goes on.
 * A tap that is silent while it has the word, sends what is no batch, or swallows the end has failed: as long as nothing of its own has gone out, an open one is left out; else the answer ends with the failure.
 */
export function streamTap(instance: Instance, { plugin, name, decl, log }: StreamTap) {
  const limitMs = decl.timeoutMs ?? hookDefinitions[name].timeoutMs
  return async function* callStreamTap(source: AsyncIterable<readonly Delta[]>, { caller, signal }: HookContext): AsyncIterable<unknown> {
    const closed = decl.failure === "closed"
    const lent = new LentStream(source, !closed)
    const ends = new AbortController()
    let begun = false
    try {
      const answer = await instance.call("hook", (lentCaller) => [name, lent, lentCaller], { caller, signal: AbortSignal.any([signal, ends.signal]), limitMs, keep: streamIn })
      if (isSame(answer)) {
        lent.forget()
        yield* lent.whole()
        return
      }
      const deltas = (answer as AsyncIterable<unknown>)[Symbol.asyncIterator]()
      let finished = false
      for (let step = await lent.answered(deltas.next(), limitMs); !step.done; step = await lent.answered(deltas.next(), limitMs)) {
        checkBatch(step.value)
        const batch = step.value as readonly Delta[]
        begun = true
        lent.forget()
        finished ||= batch.some(({ type }) => type === "finish")
        yield batch
      }
      if (lent.error !== undefined) throw lent.error
      if (!finished) throw new Error("it swallowed the end of the answer")
    } catch (error) {
      ends.abort()
      signal.throwIfAborted()
      // The source's own failure keeps its name; what the tap made of it does not count.
      if (lent.error !== undefined) throw lent.error
      if (closed && failureOf(error)) throw error
      log.warn({ err: error, plugin, hook: name, policy: decl.failure ?? "open" }, "hook tap failed")
      if (begun || closed) throw fail("hook_failed", { plugin, hook: name }, { cause: error })
      yield* lent.whole()
    } finally {
      ends.abort()
      lent.leave()
    }
  }
}

function streamIn(answer: unknown): { source: AsyncIterable<unknown>; wrap: (stream: AsyncIterable<unknown>) => unknown } | undefined {
  const { value } = (answer ?? {}) as { value?: unknown }
  if (isStream(value)) return { source: value, wrap: (stream) => stream }
  if (isSame(answer)) return undefined
  throw new Error("it answered with no stream")
}

function isSame(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && "same" in answer
}
