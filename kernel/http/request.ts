import type { Caller, RouteDecl, RouteRequest } from "@plugboard/sdk"
import type { Context } from "koa"

type Headers = Readonly<Record<string, string | undefined>>

/** What a handler gets. The signal and the headers are made when they are asked for: most handlers ask for neither. */
export class HandlerRequest implements RouteRequest<RouteDecl> {
  readonly params: never
  readonly query: never
  readonly body: never
  readonly caller: Caller
  readonly #ctx: Context
  readonly #stopping: AbortSignal
  #abort: AbortController | undefined
  #headers: Headers | undefined

  constructor(ctx: Context, parts: { params: unknown; query: unknown; body: unknown; caller: Caller; stopping: AbortSignal }) {
    this.params = parts.params as never
    this.query = parts.query as never
    this.body = parts.body as never
    this.caller = parts.caller
    this.#ctx = ctx
    this.#stopping = parts.stopping
  }

  get headers(): Headers {
    if (!this.#headers) {
      const { authorization, cookie, "x-goclaw-sender-id": sender, ...rest } = this.#ctx.req.headers as Record<string, string | undefined>
      this.#headers = rest
    }
    return this.#headers
  }

  get signal(): AbortSignal {
    if (!this.#abort) {
      const abort = new AbortController()
      this.#abort = abort
      const { res } = this.#ctx
      const leave = () => abort.abort(new Error("the client is gone"))
      const stop = () => abort.abort(new Error("the gateway stops"))
      if (res.destroyed && !res.writableEnded) leave()
      if (this.#stopping.aborted) stop()
      res.once("close", () => {
        this.#stopping.removeEventListener("abort", stop)
        if (!res.writableFinished) leave()
      })
      this.#stopping.addEventListener("abort", stop, { once: true })
    }
    return this.#abort.signal
  }

  /** Ends the handler's signal when its time is up. */
  expire(): void {
    this.signal
    this.#abort?.abort(new Error("the time limit is up"))
  }
}
