import { randomUUID } from "node:crypto"
import type { IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import type { Caller, Locale } from "@plugboard/sdk"
import type { WebSocket } from "ws"
import { Outbound, Outgoing } from "./outbound.ts"

/** Calls of one socket that may be under way; beyond it nothing is read from the socket. */
const inFlightLimit = 256

/** One socket and who is on it. */
export class Connection {
  readonly id = randomUUID()
  readonly ws: WebSocket
  readonly outbound: Outbound
  readonly connectedAt = new Date().toISOString()
  /** For display only: a client may claim any. */
  readonly shownAddress: string
  readonly address: string
  readonly openedAt = performance.now()
  caller: Caller | undefined
  locale: Locale = "en"
  cliProfile = false
  /** Set while `connect` is under way: what the client sent behind it waits, instead of being told to connect first. */
  entering: Promise<void> | undefined
  /** When the peer was last heard, in ms of performance.now(). */
  heardAt = performance.now()
  pingedAt = performance.now()
  /** Bytes that wait to be written, and since when they have not become fewer. */
  stuck: { bytes: number; since: number } | undefined
  #closed: AbortController | undefined
  #inFlight = 0
  #chains: Map<string, Promise<unknown>> | undefined

  constructor(ws: WebSocket, request: IncomingMessage) {
    this.ws = ws
    const socket = request.socket as Socket
    this.outbound = new Outbound(ws, socket)
    this.outbound.onCaughtUp = () => this.#regulate()
    this.address = (socket.remoteAddress ?? "").replace(/^::ffff:/, "")
    const forwarded = request.headers["x-real-ip"] ?? String(request.headers["x-forwarded-for"] ?? "").split(",")[0]?.trim()
    this.shownAddress = String(forwarded || this.address).slice(0, 45)
  }

  /** Ends when the socket closes. Made when it is asked for. */
  get closed(): AbortSignal {
    if (!this.#closed) {
      this.#closed = new AbortController()
      if (this.ws.readyState >= this.ws.CLOSING) this.#closed.abort()
    }
    return this.#closed.signal
  }

  ended(): void {
    this.#closed?.abort()
  }

  send(frame: Outgoing): void {
    this.outbound.push(frame)
    if (this.outbound.lagging) this.#regulate()
  }

  respond(id: string | number, body: { ok: true; payload: unknown } | { ok: false; error: object }): void {
    this.send(new Outgoing(undefined, undefined, undefined, JSON.stringify({ type: "res", id, ...body })))
  }

  /** Counts a call while it runs, and puts calls of one `order` behind each other. */
  run(order: string | undefined, work: () => Promise<void>): void {
    this.#inFlight += 1
    this.#regulate()
    const ended = (order === undefined ? work() : this.#chained(order, work)).finally(() => {
      this.#inFlight -= 1
      this.#regulate()
    })
    ended.catch(() => undefined)
  }

  #chained(order: string, work: () => Promise<void>): Promise<void> {
    this.#chains ??= new Map()
    const chains = this.#chains
    const next = (chains.get(order) ?? Promise.resolve()).then(work, work)
    chains.set(order, next)
    return next.finally(() => {
      if (chains.get(order) === next) chains.delete(order)
    })
  }

  /** Requests wait in the client while it does not take its answers, or has too many calls open. */
  #regulate(): void {
    const hold = this.outbound.lagging || this.#inFlight >= inFlightLimit
    if (hold && !this.ws.isPaused) this.ws.pause()
    else if (!hold && this.ws.isPaused) this.ws.resume()
  }
}
