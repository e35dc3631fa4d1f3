import { deepEqual } from "node:assert/strict"
import { GoogleGenAI } from "@google/genai/web"
import { type Delta, EventReader } from "@plugboard/sdk"
import fc from "fast-check"
import { spoken } from "../../test/upstream/format.ts"
import { geminiFormat } from "../../test/upstream/gemini.ts"
import { ContentReader } from "./answer.ts"

const spent = { prompt: 36, cached: 64, completion: 10, thinking: 20 }

/** Streams that differ in what is hard about them. */
const corpus = [
  spoken(geminiFormat.voice("m"), { texts: ["Hello", " world"], finish: "stop", spent }),
  spoken(geminiFormat.voice("m"), { thinking: "hm 世", texts: ["Xin chào 世界 🔌\n\n\r\n data: x"], finish: "length", spent }),
  calling(),
].flatMap((text) => [text, text.replaceAll("\r\n", "\n")])

function calling(): string {
  const voice = geminiFormat.voice("m")
  const parts = [voice.say("Let me look."), voice.call(0, "call_a", "f"), voice.args(0, '{"x":"世"}'), voice.call(1, "call_b", "g")]
  return [...parts, voice.end("tool_calls", spent)].join("")
}

describe("the reader of Gemini's streams", () => {
  it("gives the deltas that the official SDK's chunks give, however the bytes are cut", async () => {
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

function ours(chunks: readonly Uint8Array[]): Delta[] {
  const events = new EventReader(1 << 20)
  const reader = new ContentReader()
  const deltas: Delta[] = []
  for (const data of [...chunks.flatMap((bytes) => events.read(bytes).events), ...events.end()]) reader.event(JSON.parse(data), deltas)
  return deltas
}

async function official(chunks: readonly Uint8Array[]): Promise<Delta[]> {
  const answer = async () => new Response(ReadableStream.from(chunks), { headers: { "content-type": "text/event-stream" } })
  const client = new GoogleGenAI({ apiKey: "k", httpOptions: { fetch: answer } })
  const reader = new ContentReader()
  const deltas: Delta[] = []
  for await (const chunk of await client.models.generateContentStream({ model: "m", contents: "hello" })) reader.event(chunk, deltas)
  return deltas
}
