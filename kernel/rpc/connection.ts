import { randomUUID } from "node:crypto"
import type { IncomingMessage } from "node:http"
import type { Caller, ConnectionInfo, Locale } from "@plugboard/sdk"
import type { WebSocket } from "ws"
import { Outbound } from "./outbound.ts"
import { Outgoing } from "./outgoing.ts"

/** Calls of one socket that may be under way, and the size of their requests in characters; beyond either no more begin. */
const callLimit = 256
const sizeLimit = 4 << 20

/** One socket and who is on it. */
export class Connection {
  readonly id = randomUUID()
  readonly ws: WebSocket
  readonly outbound: Outbound
  readonly openedAt = Date.now()
  /** Of the peer. */
  readonly address: string
  /** What the client says of its address: for display only. */
  readonly #shownAddress: string
  caller: Caller | undefined
  /** Who is about to be the caller: known already, not yet answered. */
  entrant: Caller | undefined
  /** True once it has said who it is, whoever is on it now. */
  known = false
  /** True: shows no credential and waits for somebody to approve its pairing. */
  pending = false
  /** The browser pairing that it came in by, or waits for. */
  senderId: string | undefined
  /** True once its credential has ended. Nothing is begun for it any more. */
  dismissed = false
  locale: Locale = "en"
  cliProfile = false
  /** True while a `connect` is under way: what comes behind it waits, instead of being told to connect first. */
  entering = false
  /** When the peer was last heard, in ms of performance.now(); likewise the others. */
  heardAt = performance.now()
  pingedAt = performance.now()
  /** How much the operating system had taken of what is written, and since when it takes no more. */
  stuck: { taken: number; since: number } | undefined
  readonly #begin: (connection: Connection, text: string) => void
  /** Messages that had been read from the socket when it was held: at most what one read brings, some 64 KiB. */
  readonly #inbox: string[] = []
  #emptying = false
  #closed: AbortController | undefined
  #calls = 0
  #size = 0
  #chains: Map<string, Promise<void>> | undefined

  /** `begin` gets each message, once there is room for it. */
  constructor(ws: WebSocket, request: IncomingMessage, begin: (connection: Connection, text: string) => void) {
    this.ws = ws
    this.#begin = begin
    this.outbound = new Outbound(ws, request.socket, () => this.regulate())
    this.address = addressOf(request)
    const { "x-real-ip": real, "x-forwarded-for": forwarded } = request.headers as Record<string, string | undefined>
    // A slice of a header would keep the whole header in memory.
    this.#shownAddress = Buffer.from((real || forwarded?.split(",")[0]?.trim() || this.address).slice(0, 45)).toString()
  }

  /** Null until it is known who is on it. */
  get info(): (ConnectionInfo & { tenantId: string }) | null {
    if (!this.caller) return null
    const { userId, role, tenantId } = this.caller
    return { id: this.id, remoteAddr: this.#shownAddress, userId, role, connectedAt: new Date(this.openedAt).toISOString(), tenantId }
  }

  /** Ends when the socket closes or the gateway stops. Made when it is asked for: most calls never do. */
  get closed(): AbortSignal {
    if (!this.#closed) {
      this.#closed = new AbortController()
      if (this.ws.readyState !== this.ws.OPEN) this.#closed.abort()
    }
    return this.#closed.signal
  }

  end(): void {
    this.#closed?.abort()
  }

  receive(text: string): void {
    this.heardAt = performance.now()
    this.#inbox.push(text)
    this.regulate()
  }

  respond(id: string | number, body: { ok: true; payload: unknown } | { ok: false; error: object }): void {
    this.outbound.push(Outgoing.response(id, body))
  }

  /** Counts a call while it runs, and puts calls of one `order` behind each other. Calls begin in the order in which they came. */
  run(order: string | undefined, size: number, work: () => Promise<void>): void {
    this.#calls += 1
    this.#size += size
    const done = () => {
      this.#calls -= 1
      this.#size -= size
      this.regulate()
    }
    const running = order === undefined ? work() : this.#chain(order, work)
    running.then(done, done)
  }

  #chain(order: string, work: () => Promise<void>): Promise<void> {
    this.#chains ??= new Map()
    const chains = this.#chains
    const before = chains.get(order)
    const running = before ? before.then(work, work) : work()
    chains.set(order, running)
    const forget = () => {
      if (chains.get(order) === running) chains.delete(order)
    }
    running.then(forget, forget)
    return running
  }

  /** Nothing begins while the client does not take its answers, has too much under way, or is coming in; requests then wait here and in the client. */
  get #held(): boolean {
    return this.outbound.lagging || this.#calls >= callLimit || this.#size >= sizeLimit || this.entering
  }

  regulate(): void {
    if (this.#emptying) return
    this.#emptying = true
    while (this.#inbox.length > 0 && !this.#held) this.#begin(this, this.#inbox.shift() as string)
    this.#emptying = false
    if (this.#held === this.ws.isPaused) return
    if (this.#held) this.ws.pause()
    else {
      // Its silence was ours.
      this.heardAt = performance.now()
      this.ws.resume()
    }
  }
}

export function addressOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "")
}
