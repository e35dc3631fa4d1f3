import { type Caller, Embedders, type Host, holdBudget, type ModelTarget, noUsage, Providers } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

/** A question as a vector, and whose vector it is: those of different models do not compare. */
export interface Embedded {
  embedder: string
  dimensions: number
  /** As PostgreSQL takes it. */
  vector: string
}

/** What pgvector stores. */
const mostDimensions = 16_000
/** Of a model's tokens, at the least: a text that is cut would be taken for another with the same beginning. */
const charsOfToken = 2

export function createEmbedding(host: Host<typeof manifest>) {
  const embedders = host.open(Embedders)
  const providers = host.use(Providers)

  async function ask(caller: Caller, { provider, model }: ModelTarget, question: string, signal: AbortSignal): Promise<Float32Array | undefined> {
    const hold = await holdBudget(host, caller, { provider, model, maxTokens: 0 }, question)
    let promptTokens = 0
    try {
      const [vector] = await providers.embed(caller, provider, model, [question], signal)
      promptTokens = Math.ceil(question.length / 4)
      return vector
    } finally {
      hold?.settle([{ provider, model, usage: { ...noUsage, promptTokens, estimated: true } }])
    }
  }

  /** Undefined where there is no embedder, the question is too long for it, or it fails: then nothing means the same. */
  return async function embed(caller: Caller, question: string, signal: AbortSignal): Promise<Embedded | undefined> {
    const { embedder: wanted, questionChars } = host.config
    if (question.length > questionChars) return undefined
    try {
      if (wanted.includes("/")) {
        const at = wanted.indexOf("/")
        return embedded(wanted, await ask(caller, { provider: wanted.slice(0, at), model: wanted.slice(at + 1) }, question, signal))
      }
      const [id, embedder] = (wanted === "" ? embedders.entries(caller) : embedders.entries(caller).filter(([id]) => id === wanted))[0] ?? []
      if (!id || !embedder || question.length > embedder.maxTokens * charsOfToken) return undefined
      const [vector] = await embedder.embed([question], signal)
      return embedded(id, vector)
    } catch (err) {
      host.log.debug({ err }, "question not embedded")
      return undefined
    }
  }
}

function embedded(embedder: string, vector: Float32Array | undefined): Embedded | undefined {
  if (!vector || vector.length === 0 || vector.length > mostDimensions || !vector.every(Number.isFinite) || vector.every((value) => value === 0)) return undefined
  return { embedder, dimensions: vector.length, vector: `[${vector.join()}]` }
}
