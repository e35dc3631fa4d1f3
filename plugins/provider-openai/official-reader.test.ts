import { deepEqual, equal } from "node:assert/strict"
import { EventReader } from "@plugboard/sdk"
import fc from "fast-check"
import { Stream } from "openai/streaming"
import { chunk, event, stream, usageOf } from "../../test/upstream/bytes.ts"
import { readAnswer, type WireAnswer } from "./wire.ts"

type Delta = Parameters<typeof readAnswer>[1][number]

/** Streams that differ in what is hard about them, with the line ends of their makers. */
const corpus = [
  stream("m", [{ role: "assistant", content: "" }, { content: "Hello" }, { content: " world" }], "stop", usageOf(3, 2)).join(""),
  stream("m", [{ reasoning_content: "hm" }, { content: "Xin chào 世界 🔌\n\n\r\n data: x" }], "length", usageOf(3, 9)).join(""),
  stream(
    "m",
    [{ tool_calls: [{ index: 0, id: "a", function: { name: "f", arguments: "" } }] }, { tool_calls: [{ index: 0, function: { arguments: '{"x":"世"}' } }] }],
    "tool_calls",
    usageOf(1, 1),
  ).join(""),
  `: ping\n\n${event(chunk("m", { content: "a" }))}: ping\nretry: 10\nid: 7\n\n${event(chunk("m", { content: "b" }, "stop"))}data: [DONE]\n\n`,
].flatMap((text) => [text, text.replaceAll("\n", "\r\n"), text.replaceAll("data: ", "data:")])

describe("the reader of event streams", () => {
  it("gives the deltas that the official SDK gives, however the bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...corpus), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 }), async (text, sizes) => {
        const chunks = cut(Buffer.from(text), sizes)
        deepEqual(ours(chunks), await official(chunks))
      }),
      { numRuns: 300 },
    )
  })

  it("holds no more than its limit, however small the chunks are", () => {
    const reader = new EventReader(1_000)
    const part = Buffer.from("x".repeat(10))
    equal(reader.read(Buffer.from(event("before"))).events[0], "before")
    let read = reader.read(Buffer.from("data: "))
    for (let count = 0; count < 200; count += 1) read = reader.read(part)
    equal(read.broken instanceof RangeError, true)
    deepEqual(reader.read(Buffer.from("\n\n")).events, [])
  })
})

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

function ours(chunks: readonly Uint8Array[]): Delta[] {
  const reader = new EventReader(1 << 20)
  const events = [...chunks.flatMap((bytes) => reader.read(bytes).events), ...reader.end()]
  const deltas: Delta[] = []
  for (const data of events) if (data !== "[DONE]") readAnswer(JSON.parse(data) as WireAnswer, deltas)
  return deltas
}

async function official(chunks: readonly Uint8Array[]): Promise<Delta[]> {
  const deltas: Delta[] = []
  const body = ReadableStream.from(chunks)
  for await (const answer of Stream.fromSSEResponse<WireAnswer>(new Response(body), new AbortController())) readAnswer(answer, deltas)
  return deltas
}
