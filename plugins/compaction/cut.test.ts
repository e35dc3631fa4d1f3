import { deepEqual, equal, ok } from "node:assert/strict"
import { bytesOf, type PlacedMessage } from "@plugboard/sdk"
import fc from "fast-check"
import { clipped, cutAt, keptFrom, shortened } from "./cut.ts"

const texts = fc.string({ minLength: 1, maxLength: 60 })
/** One turn: a question, rounds of calls with their results, an answer. */
const turn = fc.tuple(texts, fc.array(fc.array(texts, { minLength: 1, maxLength: 3 }), { maxLength: 3 }), texts)
const conversation = fc.array(turn, { minLength: 1, maxLength: 12 }).map((turns) => {
  const messages: PlacedMessage["message"][] = turns.flatMap(([asked, rounds, said], at) => [
    { role: "user" as const, content: asked },
    ...rounds.flatMap((results, round) => [
      { role: "assistant" as const, content: "", toolCalls: results.map((_, call) => ({ id: `${at}.${round}.${call}`, name: "t", arguments: {} })) },
      ...results.map((content, call) => ({ role: "tool" as const, content, toolCallId: `${at}.${round}.${call}` })),
    ]),
    { role: "assistant" as const, content: said },
  ])
  return messages.map((message, ordinal) => ({ ordinal, message }))
})

describe("the kept end of a conversation", () => {
  it("begins with a user's message, holds each call with its results, and ends where it ended", () => {
    fc.assert(
      fc.property(conversation, fc.nat(400), fc.integer({ min: 1, max: 30 }), (messages, bytes, most) => {
        const kept = keptFrom(messages, cutAt(messages, bytes, most))
        equal(kept[0]?.message.role, "user")
        equal(kept.at(-1), messages.at(-1))
        const calls = kept.flatMap(({ message }) => message.toolCalls?.map(({ id }) => id) ?? [])
        const results = kept.flatMap(({ message }) => message.toolCallId ?? [])
        deepEqual(calls, results)
      }),
    )
  })

  it("is as long as it may be, and no longer", () => {
    fc.assert(
      fc.property(conversation, fc.nat(2_000), (messages, bytes) => {
        const kept = messages.slice(cutAt(messages, bytes, 30))
        const size = kept.reduce((sum, { message }) => sum + bytesOf(message), 0)
        // The last word is kept whatever its size.
        ok(kept.length === 1 || (size <= bytes && kept.length <= 30))
      }),
    )
  })

  it("has the middles of long results left out when that is what it takes", () => {
    const result = (content: string, ordinal: number): PlacedMessage => ({ ordinal, message: { role: "tool", content, toolCallId: String(ordinal) } })
    const messages = [result("a".repeat(50_000), 1), result("b".repeat(900), 2)]
    deepEqual(shortened(messages, 60_000), messages)
    const [first, second] = shortened(messages, 10_000)
    ok(bytesOf(first?.message as PlacedMessage["message"]) < 9_000)
    deepEqual(second, messages[1])
    equal(clipped("abc", 3), "abc")
  })
})
