import type { IncomingMessage } from "node:http"
import type { Context } from "koa"
import type { KoaBodyMiddlewareOptions } from "koa-body"
import { fail } from "../failures.ts"

/** Reads and checks a body as its route declares it; the client's content type chooses nothing. `done` removes what the body left on the disk. */
export type ReadBody = (ctx: Context) => Promise<{ body: unknown; done?: () => Promise<void> }>

export type Parse = (ctx: Context, next: () => Promise<void>) => Promise<void>

/** koa-body is loaded with the first body: a gateway that starts needs none. */
export async function newParser(options: Partial<KoaBodyMiddlewareOptions>): Promise<Parse> {
  const { koaBody } = await import("koa-body")
  return koaBody({ parsedMethods: ["POST", "PUT", "PATCH", "DELETE", "GET"] as never, ...options }) as Parse
}

export function refuseTooLarge(request: IncomingMessage, limit: number): void {
  if (Number(request.headers["content-length"] ?? 0) > limit) throw fail("too_large", { limit })
}

export function unsupported(type: string, expected: string) {
  return fail("unsupported_type", { type: type.slice(0, 100), expected })
}

export function cutOff(cause?: unknown) {
  return fail("invalid_request", { where: "body", reason: "the connection ended before the body did" }, { cause })
}

/** The parser's own failures in our words. */
export async function reading(parse: Parse, ctx: Context, limit: number): Promise<void> {
  try {
    await parse(ctx, async () => undefined)
  } catch (error) {
    const { status, type, code, httpCode, failure } = error as { status?: number; type?: string; code?: unknown; httpCode?: number; failure?: unknown }
    if (failure) throw error
    if (status === 413 || httpCode === 413) throw fail("too_large", { limit }, { cause: error })
    if (status === 415) throw unsupported(String(ctx.req.headers["content-encoding"] ?? ctx.req.headers["content-type"]), "UTF-8")
    if (code === "ECONNRESET" || code === "ECONNABORTED" || type === "request.aborted") throw cutOff(error)
    throw fail("invalid_json", { reason: (error as Error).message.slice(0, 200) }, { cause: error })
  }
}
