import { extensionPoint } from "../tokens.ts"

/** Turns texts into vectors. Contribute under an id that changes with the model: stored vectors are only compared under the same id. */
export interface Embedder {
  readonly dimensions: number
  /** Model tokens, not characters; longer texts are cut. */
  readonly maxTokens: number
  /** One unit-length vector per text, in the order given. */
  embed(texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]>
}

export const Embedders = extensionPoint<Embedder>("embedders", "1.0.0")
