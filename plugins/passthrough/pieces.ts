import type { Delta, ForwardPart, KeptAnswer } from "@plugboard/sdk"

/** What one choice says in a piece of an answer. */
export interface Said {
  choice: number
  deltas: readonly Delta[]
}
/** A piece of an answer in the client's own format, and what it says where it is read. Without bytes: what the client did not ask for. */
export interface Piece {
  said: readonly Said[]
  bytes?: Uint8Array
}
type Told = Exclude<ForwardPart, Uint8Array | { deltas: unknown } | { head: unknown }>

/** Bytes with the deltas that they say; all else is handed to `note`. */
export async function* piecesOf<T extends object>(parts: AsyncIterable<T | ForwardPart>, note: (part: T | Told) => void): AsyncIterable<Piece> {
  let said: Said[] = []
  for await (const part of parts) {
    if (part instanceof Uint8Array) {
      yield { said, bytes: part }
      said = []
    } else if ("deltas" in part) {
      const { choice = 0, deltas } = part as { choice?: number; deltas: readonly Delta[] }
      if (choice === 0 && said.length > 0) {
        yield { said }
        said = []
      }
      said.push({ choice, deltas })
    } else note(part as T | Told)
  }
  if (said.length > 0) yield { said }
}

/** An answer that was kept, as the provider gave it. */
export async function* keptParts({ pieces }: KeptAnswer, isStream: boolean): AsyncIterable<ForwardPart> {
  yield { head: { status: 200, isStream } }
  for (const { deltas, choice, bytes } of pieces) {
    yield choice === undefined ? { deltas } : { deltas, choice }
    if (bytes !== undefined) yield Buffer.from(bytes)
  }
}

export function hasBytes({ pieces }: KeptAnswer): boolean {
  return pieces.some(({ bytes }) => bytes !== undefined)
}

export function deltasIn({ said }: Piece, choice: number): readonly Delta[] {
  return said.find((one) => one.choice === choice)?.deltas ?? []
}

/** The end mark of a stream: a line of its own, which no JSON holds. */
export function endsStream({ bytes }: Piece): boolean {
  if (!bytes) return false
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return block.includes("\ndata: [DONE]") || block.subarray(0, 12).toString() === "data: [DONE]"
}
