import type { Socket } from "node:net"
import type { EventDecl } from "@plugboard/sdk"
import type { WebSocket } from "ws"

type Flow = NonNullable<EventDecl["flow"]>

/** One frame on its way out. An event is turned into text once, however many sockets it goes to. */
export class Outgoing {
  /** Undefined for a response, which nothing may drop. */
  readonly event: string | undefined
  readonly payload: unknown
  readonly flow: Flow | undefined
  /** Texts of the neighbours that were joined with this one. */
  joined: string[] | undefined
  #text: string | undefined

  constructor(event: string | undefined, payload: unknown, flow?: Flow, text?: string) {
    this.event = event
    this.payload = payload
    this.flow = flow
    this.#text = text
  }

  get text(): string {
    if (this.joined) return JSON.stringify({ type: "event", event: this.event, payload: this.#joinedPayload(this.joined) })
    this.#text ??= JSON.stringify({ type: "event", event: this.event, payload: this.payload })
    return this.#text
  }

  get sort(): string | undefined {
    return this.flow && String((this.payload as Record<string, unknown>)[this.flow.field])
  }
  get key(): string | undefined {
    return this.flow && String((this.payload as Record<string, unknown>)[this.flow.key])
  }
  get mergeable(): boolean {
    return this.flow?.merge.includes(this.sort as string) ?? false
  }
  get kept(): boolean {
    return this.event === undefined || (this.flow?.keep.includes(this.sort as string) ?? false)
  }

  /** What is joined belongs to one socket, so the shared frame stays as it is. */
  joinedWith(next: Outgoing): Outgoing {
    const mine = this.joined ? this : new Outgoing(this.event, this.payload, this.flow)
    mine.joined ??= [this.#ownText]
    mine.joined.push(next.#ownText)
    return mine
  }

  get #ownText(): string {
    const [outer, inner] = (this.flow as Flow).text
    return String((this.payload as Record<string, Record<string, unknown>>)[outer]?.[inner] ?? "")
  }

  #joinedPayload(texts: readonly string[]): unknown {
    const [outer, inner] = (this.flow as Flow).text
    const payload = this.payload as Record<string, object>
    return { ...payload, [outer]: { ...payload[outer], [inner]: texts.join("") } }
  }
}

/** Bytes that may wait in a socket's own buffers before frames are held back here. */
const watermark = 256 << 10
/** Frames that may be held back for one socket. Source: wire contract, websocket 1.1. */
const heldLimit = 256

/**
 * Frames of one socket, in order. A client that reads slowly makes the socket lag: frames are held back, deltas of one run are joined,
 * and past the limit deltas are dropped first, then other events. Responses and the ends of runs are never dropped; the caller stops reading requests meanwhile.
 */
export class Outbound {
  readonly #ws: WebSocket
  readonly #socket: Socket
  #held: Outgoing[] = []
  #corked = false
  /** Called when the socket has caught up. */
  onCaughtUp: (() => void) | undefined

  constructor(ws: WebSocket, socket: Socket) {
    this.#ws = ws
    this.#socket = socket
    socket.on("drain", () => this.#flush())
  }

  get lagging(): boolean {
    return this.#held.length > 0
  }

  push(frame: Outgoing): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return
    if (this.#held.length === 0 && this.#socket.writableLength < watermark) return this.#write(frame.text)
    this.#held.push(frame)
    if (this.#held.length > heldLimit) this.#shrink()
  }

  #flush(): void {
    if (this.#held.length === 0) return
    const held = joinNeighbours(this.#held)
    let sent = 0
    while (sent < held.length && this.#socket.writableLength < watermark) this.#write((held[sent++] as Outgoing).text)
    this.#held = held.slice(sent)
    if (this.#held.length === 0) this.onCaughtUp?.()
  }

  #shrink(): void {
    this.#held = joinNeighbours(this.#held)
    if (this.#held.length > heldLimit) this.#held = this.#held.filter((frame) => !frame.mergeable)
    if (this.#held.length > heldLimit) this.#held = this.#held.filter((frame) => frame.kept)
  }

  /** Everything that is written in one turn of the loop leaves in one system call. */
  #write(text: string): void {
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#socket.uncork()
      })
    }
    this.#ws.send(text)
  }
}

/** Deltas that follow each other in their run's own order become one. */
function joinNeighbours(frames: readonly Outgoing[]): Outgoing[] {
  const out: Outgoing[] = []
  const lastOf = new Map<string, number>()
  for (const frame of frames) {
    const { key } = frame
    const at = key === undefined ? undefined : lastOf.get(key)
    const last = at === undefined ? undefined : out[at]
    if (last && frame.mergeable && last.mergeable && last.sort === frame.sort) {
      out[at as number] = last.joinedWith(frame)
      continue
    }
    if (key !== undefined) lastOf.set(key, out.length)
    out.push(frame)
  }
  return out
}
