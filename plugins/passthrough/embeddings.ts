import { type Caller, type Host, holdBudget, type PassedPart, Providers } from "@plugboard/sdk"
import type { Asked } from "./asked.ts"
import type { CallRecord } from "./call-record.ts"
import type { manifest } from "./manifest.ts"

interface EmbeddingBody {
  input: string | string[] | number[] | number[][]
  encoding_format?: "float" | "base64"
  dimensions?: number
}

/** OpenAI's embeddings from a provider that makes vectors and does not speak that format. Source: the public API reference, "Create embeddings". */
export function createVectors(host: Host<typeof manifest>) {
  const providers = host.use(Providers)

  return async function* vectors(caller: Caller, record: CallRecord, { provider, model, body }: Asked, signal: AbortSignal): AsyncIterable<PassedPart> {
    const { input, encoding_format: format = "float", dimensions } = body as unknown as EmbeddingBody
    const texts = [input].flat()
    if (!texts.every((text) => typeof text === "string")) throw host.fail("unsupported_member", { member: "tokens as input", provider })
    // A vector that is cut says something else unless the model was made for it.
    if (dimensions !== undefined) throw host.fail("unsupported_member", { member: "dimensions", provider })
    record.hold = await holdBudget(host, caller, { provider, model, maxTokens: 0 }, input)
    const made = await providers.embed(caller, provider, model, texts, signal)
    const promptTokens = Math.ceil(texts.reduce((sum, text) => sum + text.length, 0) / 4)
    record.usage = { promptTokens, completionTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0, estimated: true }
    const data = made.map((vector, index) => ({ object: "embedding", index, embedding: format === "base64" ? base64Of(vector) : [...vector] }))
    yield { head: { runId: record.id, status: 200, isStream: false } }
    yield Buffer.from(JSON.stringify({ object: "list", data, model, usage: { prompt_tokens: promptTokens, total_tokens: promptTokens } }))
  }
}

/** Numbers of four bytes, the lowest first. */
function base64Of(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [at, value] of vector.entries()) bytes.writeFloatLE(value, at * 4)
  return bytes.toString("base64")
}
