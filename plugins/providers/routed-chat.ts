import { type AttemptReport, type Caller, type Delta, estimateUsage, type LlmRequest, type Route, type Usage } from "@plugboard/sdk"
import { type Begun, resumed } from "./resumed.ts"
import type { createRouting, Reached } from "./routing.ts"
import { isBilled } from "./verdicts.ts"

type Batch = readonly Delta[]

/** Answers in deltas. What comes before the first token is held back, so that until then another provider may answer instead. */
export function createRoutedChat(reach: ReturnType<typeof createRouting>) {
  return async function* answer(caller: Caller, route: Route, request: LlmRequest, signal: AbortSignal): AsyncGenerator<AttemptReport | Batch> {
    const isToken = (delta: Delta) => delta.type === "text" || delta.type === "thinking" || (delta.type === "tool" && !route.hidesToolCalls)
    let held: Batch[] = []
    const reached: Reached<Begun<Batch>> = yield* reach<Begun<Batch>>({
      caller,
      route,
      model: request.model,
      signal,
      streams: request.stream,
      async open(type, connection, model, ending) {
        held = []
        const mine = held
        const rest = type.chat(connection, model === request.model ? request : { ...request, model }, ending)[Symbol.asyncIterator]()
        for (;;) {
          const next = await rest.next()
          if (next.done) return { held: mine, rest: undefined }
          // A type that does not heed its signal: nobody waits for this any more.
          if (ending.aborted) await rest.return?.()
          ending.throwIfAborted()
          mine.push(next.value)
          if (next.value.some(isToken)) return { held: mine, rest }
        }
      },
      spent: (failed) => spentOn(request, held.flat(), failed),
    })
    const { answer: begun, end } = reached
    let failed: unknown
    try {
      // Cheaper than a loop, for each delta; a reader who leaves ends the upstream call by it.
      yield* resumed(begun)
    } catch (error) {
      failed = error
      throw error
    } finally {
      await end(failed)
    }
  }
}

/** What the provider told, else an estimate where it was at work. */
function spentOn(request: LlmRequest, deltas: readonly Delta[], failed: string): Usage | undefined {
  const told = deltas.findLast((delta) => delta.type === "usage")
  if (told) return told.usage
  const said = deltas.reduce((sum, delta) => sum + (delta.type === "tool" ? (delta.arguments ?? "").length : 0), 0)
  return said > 0 || failed === "aborted" || isBilled(failed) ? estimateUsage(request.messages, said) : undefined
}
