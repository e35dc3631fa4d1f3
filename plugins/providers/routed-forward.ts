import { type AttemptReport, type Caller, estimateUsage, type ForwardCall, type ForwardPart, type Host, nameOfStatus, type Route, type Usage } from "@plugboard/sdk"
import type { Asking } from "./attempt.ts"
import type { manifest } from "./manifest.ts"
import { Refusal } from "./refusal.ts"
import { type Begun, resumed } from "./resumed.ts"
import type { createRouting, Reached } from "./routing.ts"
import { isBilled } from "./verdicts.ts"

/** Calls in OpenAI's format. The head is held back until the body begins, so that until then another provider may answer instead. */
export function createRoutedForward(host: Host<typeof manifest>, reach: ReturnType<typeof createRouting>) {
  return async function* forward(caller: Caller, route: Route, call: ForwardCall, signal: AbortSignal): AsyncGenerator<AttemptReport | ForwardPart> {
    let held: ForwardPart[] = []
    const asking: Asking<Begun<ForwardPart>> = {
      caller,
      // Vectors of different models do not compare, so nobody else may make them.
      route: call.path === "/embeddings" ? { ...route, fallbacks: [] } : route,
      model: String(call.body.model ?? ""),
      signal,
      streams: call.body.stream === true,
      async open(type, connection, model, ending) {
        held = []
        if (!type.forward) throw host.fail("not_offered", { provider: connection.name, what: call.path })
        const parts = type.forward(connection, model === call.body.model ? call : { ...call, body: { ...call.body, model } }, ending)
        return begin(connection.name, parts[Symbol.asyncIterator](), held)
      },
      spent: (failed) => spentOn(call, held, failed),
    }
    let reached: Reached<Begun<ForwardPart>>
    try {
      reached = yield* reach(asking)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      yield { head: error.head }
      yield error.body
      return
    }
    const { answer, end } = reached
    let failed: unknown
    try {
      yield* resumed(answer)
    } catch (error) {
      failed = error
      throw error
    } finally {
      await end(failed)
    }
  }
}

/** Up to the first bytes of a success; a refusal is read whole and thrown. */
async function begin(provider: string, rest: AsyncIterator<ForwardPart>, held: ForwardPart[]): Promise<Begun<ForwardPart>> {
  for (;;) {
    const next = await rest.next()
    if (next.done) return { held, rest }
    held.push(next.value)
    if (!(next.value instanceof Uint8Array)) continue
    const [first] = held
    const head = first && "head" in first ? first.head : { status: 200, isStream: false }
    if (head.status === 200) return { held, rest }
    await rest.return?.()
    throw new Refusal(provider, nameOfStatus(head.status), head, next.value)
  }
}

function spentOn({ body }: ForwardCall, parts: readonly ForwardPart[], failed: string): Usage | undefined {
  const told = parts.findLast((part) => "usage" in part)
  if (told && "usage" in told) return told.usage
  const content = JSON.stringify(body.messages ?? body.input ?? "")
  return failed === "aborted" || isBilled(failed) ? estimateUsage([{ role: "user", content }], 0) : undefined
}
