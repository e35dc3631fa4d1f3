import { deepEqual, equal } from "node:assert/strict"
import Anthropic from "@anthropic-ai/sdk"
import { type Delta, EventReader } from "@plugboard/sdk"
import fc from "fast-check"
import { anthropicFormat } from "../../test/upstream/anthropic.ts"
import { spoken } from "../../test/upstream/format.ts"
import { MessageReader } from "./answer.ts"

const spent = { prompt: 36, cached: 64, written: 10, completion: 10, thinking: 20 }

/** Streams that differ in what is hard about them. */
const corpus = [
  spoken(anthropicFormat.voice("m"), { texts: ["Hello", " world"], finish: "stop", spent }),
  spoken(anthropicFormat.voice("m"), { thinking: "hm 世", texts: ["Xin chào 世界 🔌\n\n\r\n data: x"], finish: "length", spent }),
  calling(),
].flatMap((text) => [text, text.replaceAll("\n", "\r\n")])

function calling(): string {
  const voice = anthropicFormat.voice("m")
  const parts = [voice.think("I look."), voice.say("Let me look."), voice.call(0, "call_a", "f"), voice.args(0, '{"x":'), voice.args(0, '"世"}'), voice.call(1, "call_b", "g")]
  return [...parts, voice.end("tool_calls", spent)].join("")
}

describe("the reader of Anthropic's streams", () => {
  it("comes to the message that the official SDK comes to, however the bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...corpus), fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 30 }), async (text, sizes) => {
        const chunks = cut(Buffer.from(text), sizes)
        deepEqual(ours(chunks), await official(chunks))
      }),
      { numRuns: 100 },
    )
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

interface Summary {
  text: string
  thinking: unknown[]
  calls: unknown[]
  tokens: number[]
}

function ours(chunks: readonly Uint8Array[]): Summary {
  const events = new EventReader(1 << 20)
  const reader = new MessageReader()
  const deltas: Delta[] = []
  for (const data of [...chunks.flatMap((bytes) => events.read(bytes).events), ...events.end()]) reader.event(JSON.parse(data), deltas)
  const texts = (type: "text" | "thinking") => deltas.map((delta) => (delta.type === type ? delta.text : "")).join("")
  const kept = deltas.flatMap((delta) => (delta.type === "state" ? [(delta.state.data as { block: { thinking: string } }).block] : []))
  equal(kept.map(({ thinking }) => thinking).join(""), texts("thinking"))
  const calls: { id: string; name: string; text: string }[] = []
  for (const delta of deltas) {
    if (delta.type !== "tool") continue
    calls[delta.index] ??= { id: delta.id ?? "", name: delta.name ?? "", text: "" }
    ;(calls[delta.index] as { text: string }).text += delta.arguments
  }
  const usage = deltas.findLast((delta) => delta.type === "usage")?.usage
  return {
    text: texts("text"),
    thinking: kept,
    calls: calls.map(({ id, name, text }) => ({ id, name, input: JSON.parse(text || "{}") })),
    tokens: [usage?.promptTokens ?? 0, usage?.completionTokens ?? 0],
  }
}

async function official(chunks: readonly Uint8Array[]): Promise<Summary> {
  const answer = async () => new Response(ReadableStream.from(chunks), { headers: { "content-type": "text/event-stream" } })
  const client = new Anthropic({ apiKey: "k", fetch: answer, maxRetries: 0 })
  const { content, usage } = await client.messages.stream({ model: "m", max_tokens: 10, messages: [{ role: "user", content: "hello" }] }).finalMessage()
  return {
    text: content.map((block) => (block.type === "text" ? block.text : "")).join(""),
    thinking: content.filter((block) => block.type === "thinking"),
    calls: content.flatMap((block) => (block.type === "tool_use" ? [{ id: block.id, name: block.name, input: block.input }] : [])),
    tokens: [usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0), usage.output_tokens],
  }
}
