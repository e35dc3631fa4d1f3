import { isDeepStrictEqual } from "node:util"
import { type Caller, type Delta, type Host, parseObject, type Usage } from "@plugboard/sdk"
import { ChunkWriter, type Shape } from "./chat-answer.ts"
import type { manifest } from "./manifest.ts"
import { deltasIn, type Piece } from "./pieces.ts"

interface Tapped {
  caller: Caller
  signal: AbortSignal
  /** More than one: they are told when all of them are whole, each having passed the taps on its own. */
  choices: number
  /** The client wants the usage at the end. */
  tellsUsage: boolean
}
type Batch = readonly Delta[]

/**
 * A stream in the client's own format through the taps of `llm.stream`. While they change nothing the provider's bytes pass as they are, with all that nobody here reads;
 * from the first change on, chunks are written anew.
 */
export function createTappedStream(host: Host<typeof manifest>) {
  const pipe = (deltas: AsyncIterable<Batch>, { caller, signal }: Tapped) => host.hooks.pipe("llm.stream", deltas, { caller, signal })

  async function* inStep(pieces: AsyncIterable<Piece>, tapped: Tapped): AsyncIterable<Piece> {
    const waiting: Piece[] = []
    let first: Piece | undefined
    async function* source() {
      for await (const piece of pieces) {
        first ??= piece.bytes && piece
        waiting.push(piece)
        const deltas = deltasIn(piece, 0)
        if (deltas.length > 0) yield deltas
      }
    }
    let begun = false
    let writer: ChunkWriter | undefined
    let usage: Usage | undefined
    let finish: string | undefined
    const silent = (piece: Piece | undefined) => piece !== undefined && deltasIn(piece, 0).length === 0
    for await (const batch of pipe(source(), tapped)) {
      for (const delta of batch) {
        if (delta.type === "usage") usage = delta.usage
        else if (delta.type === "finish") finish = delta.reason
      }
      while (!writer && silent(waiting[0])) {
        begun = true
        yield waiting.shift() as Piece
      }
      const next = waiting[0]
      if (!writer && next && isDeepStrictEqual(deltasIn(next, 0), batch)) {
        begun = true
        yield waiting.shift() as Piece
        continue
      }
      writer ??= writerLike(first, tapped, begun)
      const text = writer.deltas(batch)
      yield { said: [{ choice: 0, deltas: batch }], ...(text !== "" && { bytes: Buffer.from(text) }) }
    }
    if (!writer && waiting.every(silent)) {
      yield* waiting
      return
    }
    writer ??= writerLike(first, tapped, begun)
    yield { said: [], bytes: Buffer.from(writer.finish(finish ?? "stop") + writer.end(tapped.tellsUsage ? usage : undefined)) }
  }

  async function* whole(pieces: AsyncIterable<Piece>, tapped: Tapped): AsyncIterable<Piece> {
    const all: Piece[] = []
    for await (const piece of pieces) all.push(piece)
    const said: Batch[] = []
    let changed = false
    for (let choice = 0; choice < tapped.choices; choice += 1) {
      const before = all.map((piece) => deltasIn(piece, choice)).filter((batch) => batch.length > 0)
      const after: Delta[] = []
      for await (const batch of pipe(streamed(before), tapped)) after.push(...batch)
      changed ||= !isDeepStrictEqual(before.flat(), after)
      said.push(after)
    }
    if (!changed) {
      yield* all
      return
    }
    const writer = writerLike(
      all.find(({ bytes }) => bytes),
      tapped,
      false,
    )
    for (const [choice, deltas] of said.entries()) {
      const finish = deltas.findLast((delta) => delta.type === "finish")
      yield { said: [{ choice, deltas }], bytes: Buffer.from(writer.deltas(deltas, choice) + writer.finish(finish?.reason ?? "stop", choice)) }
    }
    const usage = said[0]?.findLast((delta) => delta.type === "usage")
    yield { said: [], bytes: Buffer.from(writer.end(tapped.tellsUsage ? usage?.usage : undefined)) }
  }

  return {
    stream: (pieces: AsyncIterable<Piece>, tapped: Tapped) => (tapped.choices > 1 ? whole(pieces, tapped) : inStep(pieces, tapped)),
    /** What the taps make of an answer that is whole. */
    async deltas(batch: Batch, tapped: Tapped): Promise<Batch> {
      const after: Delta[] = []
      for await (const more of pipe(streamed([batch]), tapped)) after.push(...more)
      return after
    },
  }
}

async function* streamed(batches: readonly Batch[]): AsyncIterable<Batch> {
  yield* batches
}

/** With what the provider's own chunks have beside choices and usage. */
function writerLike(piece: Piece | undefined, { tellsUsage }: Tapped, begun: boolean): ChunkWriter {
  const [line = ""] =
    Buffer.from(piece?.bytes ?? "")
      .toString()
      .match(/^data: ?\{.*$/m) ?? []
  const { choices, usage, object, ...head } = (parseObject(line.replace(/^data: ?/, "")) ?? {}) as Partial<Shape> & Record<string, unknown>
  const { id = "chatcmpl-unknown", created = Math.floor(Date.now() / 1_000), model = "", ...more } = head
  const writer = new ChunkWriter({ id, created, model }, tellsUsage, more)
  if (begun) writer.goOn(0)
  return writer
}
