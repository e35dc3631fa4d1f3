import type { Locale, RouteDecl } from "@plugboard/sdk"
import type { Context } from "koa"

/** One request on its way to an answer. */
export interface Exchange {
  readonly ctx: Context
  /** Sent as X-Request-Id, and in the log of what goes wrong. */
  readonly id: string
  readonly locale: Locale
  /** Sent with the answer, whatever it is. */
  readonly headers: Record<string, string>
  /** Of the route; undefined for as long as there is none. */
  decl: RouteDecl | undefined
  /** Of the caller, once it is known. */
  tenantId?: string
}
