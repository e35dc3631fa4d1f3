import type { EventDecl } from "@plugboard/sdk"
import { textFrame } from "./frame.ts"

type Flow = NonNullable<EventDecl["flow"]>

/** What a socket that lags may do with a frame: nothing, join it with its neighbours, or drop it when there is no other way. */
export type Fate = "keep" | "merge" | "drop"

/** One frame on its way out. It becomes bytes once, however many sockets it goes to. */
export class Outgoing {
  /** Undefined for a response. */
  readonly #event: string | undefined
  readonly #body: unknown
  readonly #flow: Flow | undefined
  #bytes: Buffer | undefined

  private constructor(event: string | undefined, body: unknown, flow: Flow | undefined) {
    this.#event = event
    this.#body = body
    this.#flow = flow
  }

  /** Becomes bytes at once, so that a payload which JSON does not know (a cycle, a bigint) fails here, where the call can still be answered. */
  static response(id: string | number, body: { ok: true; payload: unknown } | { ok: false; error: object }): Outgoing {
    const made = new Outgoing(undefined, { type: "res", id, ...body }, undefined)
    made.#bytes = textFrame(JSON.stringify(made.#body))
    return made
  }

  static event(name: string, payload: object | undefined, flow?: Flow): Outgoing {
    return new Outgoing(name, payload, flow)
  }

  get bytes(): Buffer {
    this.#bytes ??= textFrame(JSON.stringify({ type: "event", event: this.#event, payload: this.#body }))
    return this.#bytes
  }

  get fate(): Fate {
    if (this.#event === undefined) return "keep"
    const { sort } = this
    if (this.#flow === undefined || sort === undefined) return "drop"
    if (this.#flow.keep.includes(sort)) return "keep"
    return this.#flow.merge.includes(sort) && this.key !== undefined && this.text !== undefined ? "merge" : "drop"
  }

  get sort(): string | undefined {
    return this.#flow && textOrNothing(this.#member(this.#flow.field))
  }

  /** What this frame has its place in line with: of one run, say. Undefined for responses and for events that declare nothing. */
  get key(): string | undefined {
    const key = this.#flow && textOrNothing(this.#member(this.#flow.key))
    return key === undefined ? undefined : `${this.#event}\n${key}`
  }

  /** The part that can be joined. */
  get text(): string | undefined {
    if (!this.#flow) return undefined
    const [outer, inner] = this.#flow.text
    return textOrNothing((this.#member(outer) as Record<string, unknown> | undefined)?.[inner])
  }

  /** The same event with another text, for one socket alone. */
  bytesWith(text: string): Buffer {
    const [outer, inner] = (this.#flow as Flow).text
    const body = this.#body as Record<string, object>
    return textFrame(JSON.stringify({ type: "event", event: this.#event, payload: { ...body, [outer]: { ...body[outer], [inner]: text } } }))
  }

  #member(name: string): unknown {
    return (this.#body as Record<string, unknown> | undefined)?.[name]
  }
}

function textOrNothing(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined
}
