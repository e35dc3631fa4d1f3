import { randomUUID } from "node:crypto"
import type { IncomingMessage, RequestListener, ServerOptions, ServerResponse } from "node:http"
import type { BytesAnswer, Caller, JsonAnswer, Locale, RouteDecl, SseAnswer } from "@plugboard/sdk"
import Koa, { type Context } from "koa"
import type { Auth, Credentials } from "../auth/auth.ts"
import type { GatewayConfig } from "../config.ts"
import { fail } from "../failures.ts"
import { localeOf } from "../i18n.ts"
import type { GatewayLog } from "../log.ts"
import { openApi } from "../openapi.ts"
import type { RegistrySource } from "../registry.ts"
import { masterTenantId, masterTenantSlug } from "../tenancy.ts"
import { sendBytes } from "./bytes.ts"
import { crossOrigin } from "./cors.ts"
import { docsAsset, docsPage } from "./docs.ts"
import { failureReply, openAiError, toldOrInternal } from "./failure-reply.ts"
import { HandlerRequest } from "./request.ts"
import { type Match, RouteTable } from "./route-table.ts"
import { sendSse } from "./sse.ts"

export interface HttpRooms {
  config: Pick<GatewayConfig, "allowedOrigins">
  log: GatewayLog
  auth: Auth
  registry: RegistrySource
  /** The hook `request.authorized`: throws when a plugin denies. */
  authorized(name: string, caller: Caller, signal: AbortSignal): Promise<void>
  /** True: work is refused before it costs anything. */
  overloaded(): boolean
  stopping: AbortSignal
  version: string
}

/** Sent with every answer. Nothing that a client sends about hosts or proxies decides anything. */
const safeHeaders = { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" }

/** The HTTP side: who is asking, may they, does it fit, then the handler. Routes follow the registry. */
export function createHttp(rooms: HttpRooms): { handler: RequestListener; serverOptions: ServerOptions } {
  const { registry, log, auth } = rooms
  let table = new RouteTable(registry.current.routes)
  registry.onChange(({ routes }) => {
    table = new RouteTable(routes)
  })
  const app = new Koa()
  app.silent = true
  app.use(async function serveRequest(ctx: Context) {
    // Answers are written below; koa would write a second one.
    ctx.respond = false
    const id = randomUUID()
    const headers: Record<string, string> = { ...safeHeaders, "x-request-id": id, ...crossOrigin(ctx.req, rooms.config.allowedOrigins) }
    if (ctx.method === "OPTIONS" && ctx.req.headers["access-control-request-method"]) return sendJson(ctx, 200, {}, headers)
    if (await servedByKernel(ctx, headers)) return
    const locale = localeOf(ctx.req.headers["accept-language"])
    let decl: RouteDecl | undefined
    try {
      const match = table.find(ctx.method, ctx.path)
      if (!match) throw unknownPath(ctx.path)
      decl = match.route.decl
      await serveRoute(ctx, match, headers, locale)
    } catch (error) {
      if (ctx.res.headersSent) {
        ctx.res.destroy()
        if (!ctx.req.aborted) log.warn({ err: error, path: ctx.path }, "answer cut off")
        return
      }
      const failure = failureReply(error, { locale, texts: registry.current.texts, log, decl, request: id })
      refuseRest(ctx.req, headers)
      sendJson(ctx, failure.status, failure.body, { ...headers, ...failure.headers })
    }
  })

  function unknownPath(path: string) {
    const methods = table.methodsOf(path)
    return methods.length > 0 ? fail("method_not_allowed", { allow: methods.join(", ") }) : fail("not_found")
  }

  async function serveRoute(ctx: Context, { route, params }: Match, headers: Record<string, string>, locale: Locale): Promise<void> {
    const { decl, entry } = route
    const open = decl.auth === "public" || decl.auth === "webhook"
    if (!open && rooms.overloaded()) throw fail("overloaded", {}, { retryAfterMs: 2_000 })
    const credentials = open ? undefined : credentialsOf(ctx.req, locale)
    const caller = credentials ? await auth.resolve(credentials) : anonymous(locale)
    if (credentials) {
      auth.check(decl.auth === "signed" ? { role: "viewer" } : decl, caller)
      if (decl.limits?.rate) spend(credentials)
    }
    const checkedParams = route.checkParams ? route.checkParams(params) : params
    const query = route.checkQuery ? route.checkQuery({ ...ctx.query }) : ctx.query
    const { body, done } = await route.readBody(ctx)
    const request = new HandlerRequest(ctx, { params: checkedParams, query, body, caller, stopping: rooms.stopping })
    if (credentials) {
      const pending = rooms.authorized(`${entry.plugin}.${entry.name}`, caller, rooms.stopping)
      await pending
    }
    try {
      const answer = decl.limits?.timeoutMs ? await within(decl.limits.timeoutMs, request, () => entry.handle(request)) : await entry.handle(request)
      await send(ctx, decl, answer, headers, locale)
    } finally {
      if (done) await done()
    }
  }

  function spend(credentials: Credentials): void {
    const waitMs = auth.spend(credentials.token ?? credentials.address ?? "")
    if (waitMs > 0) throw fail("rate_limited", {}, { retryAfterMs: waitMs })
  }

  async function send(ctx: Context, decl: RouteDecl, answer: unknown, headers: Record<string, string>, locale: Locale): Promise<void> {
    const kind = (answer as { answer?: string } | null)?.answer
    if (kind === "sse") {
      return sendSse(ctx.res, answer as SseAnswer, headers, (error) => {
        const told = toldOrInternal(error, { locale, texts: registry.current.texts, log, request: headers["x-request-id"] ?? "" })
        return decl.errors === "openai" ? { data: { error: openAiError(told) } } : { event: "error", data: { error: told.message, code: told.code } }
      })
    }
    if (kind === "bytes") return sendBytes(ctx.req, ctx.res, answer as BytesAnswer, headers)
    const { body, status, headers: own } = kind === "json" ? (answer as JsonAnswer<unknown>) : { body: answer, status: undefined, headers: undefined }
    sendJson(ctx, status ?? decl.status ?? 200, decl.alsoAs && !ctx.req.headers["x-goclaw-user-id"] ? withPayload(body) : body, own ? { ...headers, ...own } : headers)
  }

  async function servedByKernel(ctx: Context, headers: Record<string, string>): Promise<boolean> {
    const { path, method } = ctx
    if (path === "/v1/openapi.json" || path === "/docs" || path.startsWith("/docs/")) {
      if (method !== "GET" && method !== "HEAD") {
        sendJson(ctx, 405, { error: "Use GET.", code: "INVALID_REQUEST" }, { ...headers, allow: "GET, HEAD" })
        return true
      }
      if (path === "/v1/openapi.json") sendJson(ctx, 200, openApi(registry.current, rooms.version), { ...headers, "access-control-allow-origin": "*" })
      else if (path === "/docs" || path === "/docs/") await sendBytes(ctx.req, ctx.res, docsPage(), headers)
      else {
        const asset = docsAsset(path.slice("/docs/".length))
        if (asset === undefined) return false
        await sendBytes(ctx.req, ctx.res, asset, headers)
      }
      return true
    }
    return false
  }

  return {
    handler: app.callback() as RequestListener,
    serverOptions: { headersTimeout: 20_000, requestTimeout: 120_000, keepAliveTimeout: 65_000, maxHeaderSize: 16_384, noDelay: true },
  }
}

/** Everything that a client shows of itself. Source: wire contract, http-core 1.1. */
function credentialsOf(request: IncomingMessage, locale: Locale): Credentials {
  const { authorization, "x-goclaw-user-id": user, "x-goclaw-tenant-id": tenant, "x-goclaw-sender-id": sender } = request.headers as Record<string, string | undefined>
  const token = authorization && /^bearer +(.+)$/i.exec(authorization)?.[1]?.trim()
  return {
    token: token || undefined,
    userId: user && user.length <= 255 ? decodeHeader(user) : undefined,
    tenantRefs: tenant ? [tenant] : [],
    senderId: sender || undefined,
    locale,
    address: addressOf(request),
  }
}

/** Node reads header bytes as Latin-1; clients write UTF-8. */
function decodeHeader(text: string): string {
  return /[\x80-\xff]/.test(text) ? Buffer.from(text, "latin1").toString("utf8") : text
}

function addressOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "")
}

/** The caller of a public route: nobody, who may do nothing that has a role. */
function anonymous(locale: Locale): Caller {
  return { tenantId: masterTenantId, tenantSlug: masterTenantSlug, userId: "", role: "viewer", scopes: [], locale, via: "open" }
}

async function within<T>(limitMs: number, request: HandlerRequest, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      request.expire()
      reject(fail("too_slow", { ms: limitMs }))
    }, limitMs)
  })
  try {
    return await Promise.race([work(), late])
  } finally {
    clearTimeout(timer)
  }
}

/** The list reader of today's command-line client unwraps `payload`. Source: wire contract, http-core 1.4. */
function withPayload(body: unknown): unknown {
  if (typeof body !== "object" || body === null) return body
  const rows = Object.values(body).find(Array.isArray)
  return rows ? { ...body, payload: rows } : body
}

function sendJson(ctx: Context, status: number, body: unknown, headers: Record<string, string>): void {
  const { res } = ctx as { res: ServerResponse }
  const text = JSON.stringify(body ?? {})
  res.writeHead(status, { ...headers, "content-type": "application/json; charset=utf-8", "content-length": String(Buffer.byteLength(text)) })
  res.end(ctx.method === "HEAD" ? undefined : text)
}

/** What is left of a refused body is read and thrown away, within bounds: a client that is still writing would not see the answer otherwise. */
function refuseRest(request: IncomingMessage, headers: Record<string, string>): void {
  if (request.complete) return
  headers.connection = "close"
  let left = 64 << 20
  const deadline = setTimeout(() => request.destroy(), 10_000)
  deadline.unref()
  request.on("data", (part: Buffer) => {
    left -= part.length
    if (left < 0) request.destroy()
  })
  request.on("error", () => undefined)
  request.once("close", () => clearTimeout(deadline))
  request.resume()
}
