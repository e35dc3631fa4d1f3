import type { DriverQueryResult } from "@slonik/driver"
import { fail } from "../failures.ts"

/** One connection to the database. Statements on it run one after the other, each bound as its name asks. */
export interface Session {
  query(text: string, values?: readonly unknown[], name?: string): Promise<DriverQueryResult>
  end(): Promise<void>
}

/** `onLost` is called when it ends by itself; what is asked of it afterwards fails. */
export type OpenSession = (onLost: (error: Error) => void) => Promise<Session>

/** A session in somebody's hands. */
export interface Lease extends Pick<Session, "query"> {
  /** Called when the session ends by itself meanwhile. */
  onLost: ((error: Error) => void) | undefined
}

interface Seat extends Lease {
  session: Session
  /** Given back at; for those that wait to be taken. */
  since: number
}

interface Waiter {
  since: number
  resolve(lease: Lease): void
  reject(error: unknown): void
}

/** How many may wait for a session, and for how long; past either they are told to come back. */
const waitingLimit = 2_000
const waitingLimitMs = 5_000
const lookMs = 500
const restMs = 20
/** How long a session may take to say good-bye. */
const endMs = 1_000

/**
 * The sessions of one pool, for statements and transactions alike. slonik's own pool costs a statement more than the statement does, so it has transactions only,
 * whose connections are leases from here.
 */
export class Sessions {
  readonly #open: OpenSession
  readonly #size: number
  readonly #idleMs: number
  readonly #all = new Set<Seat>()
  /** The last one that came back is the first to be taken: the server's caches for it are warm, and those that nobody needs can close. */
  readonly #idle: Seat[] = []
  readonly #waiting = new Set<Waiter>()
  readonly #watch: NodeJS.Timeout
  #opening = 0
  #ended = false

  constructor(options: { open: OpenSession; size: number; idleMs?: number }) {
    this.#open = options.open
    this.#size = options.size
    this.#idleMs = options.idleMs ?? Number.POSITIVE_INFINITY
    this.#watch = setInterval(() => this.#look(), lookMs)
    this.#watch.unref()
  }

  take(): Promise<Lease> {
    if (this.#ended) return Promise.reject(new Error("pool has ended"))
    const seat = this.#idle.pop()
    if (seat) return Promise.resolve(seat)
    if (this.#waiting.size >= waitingLimit) return Promise.reject(tooLong("too many queries wait for a connection"))
    return new Promise((resolve, reject) => {
      this.#waiting.add({ since: performance.now(), resolve, reject })
      this.#grow()
    })
  }

  /** `broken`: what state it is in is not known, so nobody gets it again. */
  give(lease: Lease, broken = false): void {
    const seat = lease as Seat
    seat.onLost = undefined
    if (!this.#all.has(seat)) return
    if (broken || this.#ended) {
      this.#all.delete(seat)
      seat.session.end().catch(() => undefined)
      if (broken) this.#rest()
      this.#grow()
      return
    }
    this.#offer(seat)
  }

  #offer(seat: Seat): void {
    const [next] = this.#waiting
    if (next) {
      this.#waiting.delete(next)
      next.resolve(seat)
    } else {
      seat.since = performance.now()
      this.#idle.push(seat)
    }
  }

  /** What ended one session has often ended the others with it, which is heard of a moment later: until then nobody gets one of them. */
  #rest(): void {
    const resting = this.#idle.splice(0)
    if (resting.length === 0) return
    setTimeout(() => {
      for (const seat of resting) if (this.#all.has(seat)) this.#offer(seat)
    }, restMs).unref()
  }

  async end(): Promise<void> {
    this.#ended = true
    clearInterval(this.#watch)
    for (const waiter of this.#waiting) waiter.reject(new Error("pool has ended"))
    this.#waiting.clear()
    const ends = [...this.#all].map((seat) => seat.session.end().catch(() => undefined))
    await Promise.race([Promise.all(ends), new Promise((resolve) => setTimeout(resolve, endMs).unref())])
  }

  /** As many as wait, up to the size. */
  #grow(): void {
    if (this.#ended || this.#opening >= this.#waiting.size || this.#all.size + this.#opening >= this.#size) return
    this.#opening += 1
    let seat: Seat | undefined
    const opened = this.#open((error) => {
      if (!seat || !this.#all.delete(seat)) return
      const at = this.#idle.indexOf(seat)
      if (at >= 0) this.#idle.splice(at, 1)
      seat.onLost?.(error)
      this.#grow()
    })
    opened.then(
      (session) => {
        this.#opening -= 1
        seat = { session, query: session.query, onLost: undefined, since: 0 }
        this.#all.add(seat)
        this.give(seat)
      },
      (error: unknown) => {
        this.#opening -= 1
        const [first] = this.#waiting
        if (first) this.#waiting.delete(first)
        first?.reject(error)
        this.#grow()
      },
    )
  }

  #look(): void {
    const now = performance.now()
    for (const waiter of this.#waiting) {
      if (waiter.since > now - waitingLimitMs) break
      this.#waiting.delete(waiter)
      waiter.reject(tooLong("no connection of the pool came free"))
    }
    while (this.#idle[0] && this.#idle[0].since < now - this.#idleMs) {
      const seat = this.#idle.shift() as Seat
      this.#all.delete(seat)
      seat.session.end().catch(() => undefined)
    }
  }
}

function tooLong(reason: string) {
  return fail("database_unavailable", {}, { retryAfterMs: 1_000, cause: new Error(reason) })
}
