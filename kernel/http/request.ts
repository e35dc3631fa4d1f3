import type { ServerResponse } from "node:http"
import type { Caller, RouteDecl, RouteRequest } from "@plugboard/sdk"
import type { Context } from "koa"
import { fail } from "../failures.ts"

type Headers = Readonly<Record<string, string | undefined>>

/** The handlers that watch their signal. One listener on the gateway's signal serves them all: each more on one signal makes adding the next dearer. */
export class LiveRequests {
  readonly #stopping: AbortSignal
  readonly #watched = new Set<AbortController>()

  constructor(stopping: AbortSignal) {
    this.#stopping = stopping
    stopping.addEventListener("abort", () => {
      for (const abort of this.#watched) abort.abort(new Error("the gateway stops"))
    })
  }

  /** Aborts when the client leaves before the answer is out, or the gateway stops. */
  watch(response: ServerResponse): AbortController {
    const abort = new AbortController()
    if (this.#stopping.aborted) abort.abort(new Error("the gateway stops"))
    else if (response.destroyed) abort.abort(new Error("the client is gone"))
    else {
      this.#watched.add(abort)
      response.once("close", () => {
        this.#watched.delete(abort)
        if (!response.writableFinished) abort.abort(new Error("the client is gone"))
      })
    }
    return abort
  }
}

interface Parts {
  params: unknown
  query: unknown
  body: unknown
  caller: Caller
}

/** What a handler gets. The signal and the headers are made when they are asked for: most handlers ask for neither. */
export class HandlerRequest implements RouteRequest<RouteDecl> {
  readonly params: never
  readonly query: never
  readonly body: never
  readonly caller: Caller
  readonly #ctx: Context
  readonly #live: LiveRequests
  #abort: AbortController | undefined
  #headers: Headers | undefined

  constructor(ctx: Context, parts: Parts, live: LiveRequests) {
    this.params = parts.params as never
    this.query = parts.query as never
    this.body = parts.body as never
    this.caller = parts.caller
    this.#ctx = ctx
    this.#live = live
  }

  get headers(): Headers {
    if (!this.#headers) {
      const {
        authorization,
        "x-api-key": apiKey,
        cookie,
        "proxy-authorization": proxy,
        "x-goclaw-sender-id": sender,
        ...rest
      } = this.#ctx.req.headers as Record<string, string | undefined>
      this.#headers = rest
    }
    return this.#headers
  }

  get signal(): AbortSignal {
    this.#abort ??= this.#live.watch(this.#ctx.res)
    return this.#abort.signal
  }

  /** The handler's answer, or `kernel.too_slow` with its signal ended once the time is up. */
  async within<T>(limitMs: number, answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // First of the two: else what the handler throws on its signal would be the answer.
        reject(fail("too_slow", { ms: limitMs }))
        this.#abort ??= this.#live.watch(this.#ctx.res)
        this.#abort.abort(new Error("the time limit is up"))
      }, limitMs)
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      clearTimeout(timer)
    }
  }
}
