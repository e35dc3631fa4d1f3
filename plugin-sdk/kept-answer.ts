import { isUtf8 } from "node:buffer"
import type { Delta, Usage } from "./points/provider.ts"

/** What a client says of kept answers. Source: RFC 9111, 5.2.1. */
export interface CacheWish {
  /** `no-cache`: the model is asked in any case. */
  noCache?: boolean
  /** `no-store`: and its answer is not kept either. */
  noStore?: boolean
  /** `max-age`: how old a kept answer may be, in seconds. */
  maxAge?: number
}

/**
 * Undefined where a client says nothing of it.
 * @example cacheWishIn("no-cache")   // { noCache: true }
 */
export function cacheWishIn(header: string | undefined): CacheWish | undefined {
  if (header === undefined) return undefined
  const directives = header
    .toLowerCase()
    .split(",")
    .map((text) => text.trim())
  const age = directives.map((text) => /^max-age="?(\d{1,9})"?$/.exec(text)?.[1]).find((text) => text !== undefined)
  const noStore = directives.includes("no-store")
  const noCache = noStore || directives.includes("no-cache")
  if (!noCache && age === undefined) return undefined
  return { ...(noCache && { noCache }), ...(noStore && { noStore }), ...(age !== undefined && { maxAge: Number(age) }) }
}

/** A piece of an answer as it came. */
export interface KeptPiece {
  deltas: readonly Delta[]
  /** Whose they are, where there are several choices; the first when left out. */
  choice?: number
  /** What the client got for it, where it speaks the provider's own format. */
  bytes?: string
}

/** An answer to be given again. Plain data. */
export interface KeptAnswer {
  /** Who gave it. */
  provider: string
  model: string
  /** What it cost then. */
  usage: Usage
  pieces: readonly KeptPiece[]
}

/** What it says, as it came; what it cost then is not part of it. */
export async function* keptDeltas({ pieces }: KeptAnswer): AsyncIterable<readonly Delta[]> {
  for (const { deltas, choice } of pieces) {
    const said = choice === undefined ? deltas.filter(({ type }) => type !== "usage") : []
    if (said.length > 0) yield said
  }
}

/** What a plugin says that wants an answer to be kept. */
export interface KeepWish {
  /** Comes back with the answer. Plain data. */
  as: unknown
  /** Characters; nothing larger is kept. */
  most: number
}

/** Keeps the pieces of an answer while they pass. */
export class AnswerKeeper {
  readonly wish: KeepWish
  #size = 0
  #pieces: KeptPiece[] | undefined = []

  constructor(wish: KeepWish) {
    this.wish = wish
  }

  take(deltas: readonly Delta[], bytes?: Uint8Array, choice = 0): void {
    if (!this.#pieces) return
    this.#size += bytes?.length ?? 0
    for (const delta of deltas) this.#size += sizeOf(delta)
    // Text that is no text could not be given again as it was.
    if (this.#size > this.wish.most || (bytes && !isUtf8(bytes))) this.#pieces = undefined
    else this.#pieces.push({ deltas, ...(choice > 0 && { choice }), ...(bytes && { bytes: Buffer.from(bytes).toString() }) })
  }

  /** Undefined when it was too large. */
  get pieces(): readonly KeptPiece[] | undefined {
    return this.#pieces
  }
}

function sizeOf(delta: Delta): number {
  if (delta.type === "text" || delta.type === "thinking") return delta.text.length
  if (delta.type === "tool") return (delta.arguments?.length ?? 0) + 50
  return delta.type === "state" ? JSON.stringify(delta.state).length : 100
}
