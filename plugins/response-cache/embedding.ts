import { type Caller, Embedders, type Host, Providers } from "@plugboard/sdk"
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

  /** Undefined where there is no embedder, the question is too long for it, or it fails: then nothing means the same. */
  return async function embed(caller: Caller, question: string, signal: AbortSignal): Promise<Embedded | undefined> {
    const { embedder: wanted, questionChars } = host.config
    if (question.length > questionChars) return undefined
    try {
      if (wanted.includes("/")) {
        const at = wanted.indexOf("/")
        const [vector] = await providers.embed(caller, wanted.slice(0, at), wanted.slice(at + 1), [question], signal)
        return embedded(wanted, vector)
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
