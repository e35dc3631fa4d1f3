import type { Http, HttpRequest } from "@plugboard/sdk"
import { fail } from "../failures.ts"

/** Calls of one plugin at once, with answers that it has not read to their end: it shares the pools of connections with everybody. */
const most = 64
const methods = new Set(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
/** `host` would name another server behind the address that was granted; the rest is for the connection, which is not the plugin's. */
const notItsOwn = new Set(["host", "connection", "upgrade", "transfer-encoding", "content-length", "expect", "keep-alive", "te", "trailer", "proxy-authorization"])
/** Longest waits, in ms. */
const longestMs = 600_000

interface Head {
  status: number
  headers: Readonly<Record<string, string>>
  body: AsyncIterable<Uint8Array>
}

/** `host.http` of a plugin in a process of its own: what it sends is data from outside until it has been looked at. */
export class OutboundCalls {
  readonly #http: Http
  #open = 0

  constructor(http: Http) {
    this.#http = http
  }

  async request(url: string, options: unknown, signal: AbortSignal): Promise<Head> {
    if (this.#open >= most) throw fail("overloaded", {}, { retryAfterMs: 1_000 })
    this.#open += 1
    try {
      const { status, headers, body } = await this.#http.request(url, { ...checked(url, options), signal })
      return { status, headers, body: this.#counted(body) }
    } catch (error) {
      this.#open -= 1
      throw error
    }
  }

  #counted(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const inner = body[Symbol.asyncIterator]()
    let open = true
    const end = () => {
      if (open) this.#open -= 1
      open = false
    }
    return {
      [Symbol.asyncIterator]: () => ({
        async next() {
          try {
            const step = await inner.next()
            if (step.done) end()
            return step
          } catch (error) {
            end()
            throw error
          }
        },
        async return() {
          end()
          await inner.return?.()
          return { done: true as const, value: undefined }
        },
      }),
    }
  }
}

function checked(url: string, options: unknown): HttpRequest {
  const { method = "GET", headers = {}, body, headersTimeoutMs, idleTimeoutMs } = (options ?? {}) as HttpRequest
  const refuse = (reason: string) => fail("egress_refused", { host: URL.parse(url)?.hostname ?? "", reason })
  if (!methods.has(method)) throw refuse(`${String(method).slice(0, 20)} is no method that it may use`)
  if (body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array)) throw refuse("its body is neither text nor bytes")
  const stray = Object.entries(headers).find(([name, value]) => typeof value !== "string" || notItsOwn.has(name.toLowerCase()))
  if (stray) throw refuse(`the header ${stray[0].slice(0, 100)} is not the plugin's to send`)
  return { method, headers, body, headersTimeoutMs: within(headersTimeoutMs), idleTimeoutMs: within(idleTimeoutMs) }
}

function within(ms: unknown): number | undefined {
  return typeof ms === "number" && ms > 0 ? Math.min(ms, longestMs) : undefined
}
