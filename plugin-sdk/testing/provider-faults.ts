import { deepEqual, equal, ok } from "node:assert/strict"
import { type FailureData, failureOf } from "../errors.ts"
import type { Delta, LlmRequest, ProviderConnection, ProviderErrorName } from "../points/provider.ts"
import { suiteGlobals } from "./suite.ts"

/** A connection and a request; what is left out is that of the suite. */
export interface ProviderCase {
  connection?: Partial<ProviderConnection>
  request?: Partial<Omit<LlmRequest, "stream">>
}

/** What makes the provider of the tests behave badly, or oddly. */
export interface ProviderFaults {
  /** 401, 404 for the model, 500, and 529 or whatever says that it has too much to do. */
  unauthorized: ProviderCase
  unknownModel: ProviderCase
  failing: ProviderCase
  overloaded: ProviderCase
  /** 429 with a wait of at most five seconds, and with one of at least a minute. */
  limitedShortly: ProviderCase
  limitedLong: ProviderCase
  /** Longer than the limits of the suite's configuration: before the first byte, and after some text. */
  silent: ProviderCase
  silentWithin: ProviderCase
  /** After some text: the connection ends, an event is malformed. */
  cut: ProviderCase
  malformed: ProviderCase
  /** An answer with members and events that nobody knows; its text. */
  unknownFields: ProviderCase & { text: string }
  /** Two calls, of which the first comes in 50 fragments or over 50 chunks of the network; its arguments. */
  splitCall: ProviderCase & { arguments: object }
  /** Letters of several bytes, each byte a chunk of its own; the text. */
  splitText: ProviderCase & { text: string }
  /** An answer of at least 1 MiB, streamed or not. */
  large: ProviderCase
}

type Run = (given: ProviderCase, stream?: boolean) => AsyncIterable<readonly Delta[]>

/** The tests of `faults`, within a suite. */
export function faultSuite(faults: ProviderFaults, run: Run): void {
  const { it } = suiteGlobals()
  const fails = async (given: ProviderCase, name: ProviderErrorName, said: boolean): Promise<FailureData> => {
    const { text, failure } = await outcomeOf(run(given))
    ok(failure, "it did not fail")
    equal(failure.name.slice(failure.name.indexOf(".") + 1), name)
    equal(text !== "", said, said ? "what came before the break is lost" : "it said something")
    return failure
  }

  const refusals = { unauthorized: "provider_auth", unknownModel: "provider_not_found", failing: "provider_overloaded", overloaded: "provider_overloaded" } as const
  for (const [fault, name] of Object.entries(refusals) as [keyof typeof refusals, ProviderErrorName][])
    it(`is refused (${fault}): ${name}`, async () => void (await fails(faults[fault], name, false)))

  it("tells how long to wait, be it short or long", async () => {
    const short = await fails(faults.limitedShortly, "provider_rate_limited", false)
    ok(short.retryAfterMs !== undefined && short.retryAfterMs > 0 && short.retryAfterMs <= 5_000, String(short.retryAfterMs))
    const long = await fails(faults.limitedLong, "provider_rate_limited", false)
    ok(long.retryAfterMs !== undefined && long.retryAfterMs >= 60_000, String(long.retryAfterMs))
  })

  it("gives up on silence, before the first byte and after it", async () => {
    await fails(faults.silent, "provider_timeout", false)
    await fails(faults.silentWithin, "provider_timeout", true)
  })

  it("takes a cut stream and a malformed event for a break, and passes on what came before", async () => {
    await fails(faults.cut, "provider_broken_stream", true)
    await fails(faults.malformed, "provider_broken_stream", true)
  })

  it("reads past what it does not know", async () => {
    const { text, failure, deltas } = await outcomeOf(run(faults.unknownFields))
    deepEqual([failure, text.endsWith(faults.unknownFields.text)], [undefined, true])
    equal(deltas.at(-1)?.type === "finish" || deltas.at(-1)?.type === "usage", true)
  })

  it("puts a call together that came in 50 fragments, beside another one", async () => {
    const { deltas, failure } = await outcomeOf(run(faults.splitCall))
    equal(failure, undefined)
    const calls = new Map<number, { names: string[]; ids: string[]; text: string }>()
    for (const delta of deltas) {
      if (delta.type !== "tool") continue
      const call = calls.get(delta.index) ?? { names: [], ids: [], text: "" }
      calls.set(delta.index, call)
      if (delta.name) call.names.push(delta.name)
      if (delta.id) call.ids.push(delta.id)
      call.text += delta.arguments ?? ""
    }
    const [first, second] = [...calls.values()]
    ok(first && second, `${calls.size} calls`)
    deepEqual([first.names.length, first.ids.length, first.ids[0] !== second.ids[0]], [1, 1, true])
    deepEqual(JSON.parse(first.text), faults.splitCall.arguments)
    equal(deltas.findLast((delta) => delta.type === "finish")?.reason, "tool_calls")
  })

  it("puts letters together that the network cut", async () => {
    const { text, failure } = await outcomeOf(run(faults.splitText))
    deepEqual([text, failure], [faults.splitText.text, undefined])
  })

  it("reads an answer of 1 MiB, streamed and whole", async () => {
    for (const stream of [true, false]) {
      const { text, failure } = await outcomeOf(run(faults.large, stream))
      equal(failure, undefined)
      ok(text.length >= 1 << 20, `${text.length} characters`)
    }
  })
}

async function outcomeOf(batches: AsyncIterable<readonly Delta[]>): Promise<{ deltas: Delta[]; text: string; failure?: FailureData }> {
  const deltas: Delta[] = []
  const textOf = () => deltas.map((delta) => (delta.type === "text" ? delta.text : "")).join("")
  try {
    for await (const batch of batches) deltas.push(...batch)
    return { deltas, text: textOf() }
  } catch (error) {
    const failure = failureOf(error)
    if (!failure) throw error
    return { deltas, text: textOf(), failure }
  }
}
