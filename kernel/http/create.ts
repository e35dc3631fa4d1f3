import { randomUUID } from "node:crypto"
import type { RequestListener, Server, ServerOptions } from "node:http"
import type { Caller, Locale, RouteDecl } from "@plugboard/sdk"
import Koa, { type Context } from "koa"
import type { Auth } from "../auth/auth.ts"
import type { GatewayConfig } from "../config.ts"
import { fail } from "../failures.ts"
import { localeOf } from "../i18n.ts"
import type { GatewayLog } from "../log.ts"
import type { RegistrySource } from "../registry.ts"
import { sendAnswer, sendFailure, sendJson } from "./answer.ts"
import { crossOrigin, isPreflight } from "./cors.ts"
import { addressOf, credentialsOf, nobody } from "./credentials.ts"
import type { Exchange } from "./exchange.ts"
import { HandlerRequest, LiveRequests } from "./request.ts"
import { type Match, RouteTable } from "./route-table.ts"
import { answerUnreadable } from "./unreadable.ts"

export interface HttpRooms {
  config: Pick<GatewayConfig, "allowedOrigins">
  log: GatewayLog
  auth: Auth
  registry: RegistrySource
  /** The hook `request.authorized`: throws when a plugin denies. */
  authorized(name: string, caller: Caller, signal: AbortSignal): Promise<void>
  /** True: work is refused before it costs anything. */
  overloaded(): boolean
  /** Who a signed link stands for; null when it has no signature, or none that holds. */
  signed?(link: { path: string; query: Context["query"]; locale: Locale }): Promise<Caller | null>
  stopping: AbortSignal
}

export interface HttpRoom {
  handler: RequestListener
  serverOptions: ServerOptions
  /** What is set on a server after it was made. */
  adopt(server: Server): void
}

/** Sent with every answer. Pages and files that need more say so; nothing that a client sends about hosts or proxies decides anything. */
const safeHeaders = { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "content-security-policy": "default-src 'none'; frame-ancestors 'none'" }

/** The HTTP side: who is asking, may they, does it fit, then the handler. Routes follow the registry. */
export function createHttp(rooms: HttpRooms): HttpRoom {
  const { registry, auth, config } = rooms
  const live = new LiveRequests(rooms.stopping)
  let table = new RouteTable(registry.current.routes)
  registry.onChange(({ routes }) => {
    table = new RouteTable(routes)
  })

  const app = new Koa()
  app.silent = true
  app.use(async function serveRequest(ctx: Context) {
    // Answers are written by this room; koa would write a second one.
    ctx.respond = false
    const { req } = ctx
    const id = randomUUID()
    const exchange: Exchange = {
      ctx,
      id,
      locale: localeOf(req.headers["accept-language"]),
      headers: { ...safeHeaders, "x-request-id": id, ...crossOrigin(req, config.allowedOrigins) },
      decl: undefined,
    }
    try {
      if (exchange.headers["access-control-allow-methods"] && isPreflight(req)) return sendJson(exchange, 200, {})
      const match = table.find(ctx.method, ctx.path)
      if (!match) throw unserved(table.methodsOf(ctx.path))
      exchange.decl = match.route.decl
      await serveRoute(exchange, match)
    } catch (error) {
      sendFailure(exchange, error, rooms)
    }
  })

  async function serveRoute(exchange: Exchange, { route, params }: Match): Promise<void> {
    const { ctx, locale } = exchange
    const { decl, entry } = route
    const caller = decl.auth === "public" || decl.auth === "webhook" ? nobody(ctx.req, locale) : await admit(ctx, decl, locale)
    exchange.tenantId = caller.tenantId
    if (registry.current.isOff(entry.plugin, caller.tenantId)) throw fail("not_found")
    if (decl.limits?.rate) spend(ctx)
    if (decl.auth === undefined || decl.auth === "signed") await rooms.authorized(`${entry.plugin}.${entry.name}`, caller, rooms.stopping)
    const checkedParams = route.checkParams(params)
    const query = route.checkQuery(ctx.query)
    const { body, done } = await route.readBody(ctx)
    const request = new HandlerRequest(ctx, { params: checkedParams, query, body, caller }, live)
    try {
      const answer = entry.handle(request)
      await sendAnswer(exchange, decl.limits?.timeoutMs ? await request.within(decl.limits.timeoutMs, answer) : await answer, rooms)
    } finally {
      await done?.()
    }
  }

  /** Before anything else is read or done. */
  async function admit(ctx: Context, decl: RouteDecl, locale: Locale): Promise<Caller> {
    if (rooms.overloaded()) throw fail("overloaded", {}, { retryAfterMs: 2_000 })
    const { path, query } = ctx
    const linked = decl.auth === "signed" && query.ft !== undefined ? await rooms.signed?.({ path, query, locale }) : undefined
    if (linked) return linked
    const caller = await auth.resolve(credentialsOf(ctx.req, locale))
    auth.check(decl.auth === "signed" ? { role: "viewer" } : decl, caller)
    return caller
  }

  function spend({ req }: Context): void {
    const waitMs = auth.spend(credentialsOf(req, "en").token ?? addressOf(req))
    if (waitMs > 0) throw fail("rate_limited", { seconds: Math.ceil(waitMs / 1_000) }, { retryAfterMs: waitMs })
  }

  return {
    handler: app.callback() as RequestListener,
    // Times within which a client must have sent its headers, its whole request, its next one; the clock that looks runs every 5 s.
    serverOptions: { headersTimeout: 20_000, requestTimeout: 300_000, keepAliveTimeout: 65_000, connectionsCheckingInterval: 5_000, maxHeaderSize: 16_384, noDelay: true },
    adopt(server) {
      server.maxConnections = 20_000
      server.on("clientError", answerUnreadable)
    },
  }
}

function unserved(methods: readonly string[]) {
  return methods.length > 0 ? fail("method_not_allowed", { allow: methods.join(", ") }) : fail("not_found")
}
