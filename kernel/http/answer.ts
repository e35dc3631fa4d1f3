import type { BytesAnswer, JsonAnswer, SseAnswer } from "@plugboard/sdk"
import { fail } from "../failures.ts"
import type { GatewayLog } from "../log.ts"
import type { RegistrySource } from "../registry.ts"
import { sendBytes } from "./bytes.ts"
import type { Exchange } from "./exchange.ts"
import { failureFrame, failureReply, isDeclared, type Listener } from "./failure-reply.ts"
import { endAfterRest, hasRest } from "./rest.ts"
import { sendSse } from "./sse.ts"

export interface AnswerRooms {
  log: GatewayLog
  registry: RegistrySource
  stopping: AbortSignal
}

/** Sends what a handler answered: events, bytes, or JSON. */
export async function sendAnswer(exchange: Exchange, answer: unknown, rooms: AnswerRooms): Promise<void> {
  const { ctx, headers, decl } = exchange
  const kind = (answer as { answer?: unknown } | null | undefined)?.answer
  if (kind === "sse") {
    return sendSse(ctx.res, answer as SseAnswer, { head: ctx.method === "HEAD", headers, describe: (error) => failureFrame(afterStop(error, rooms), listenerOf(exchange, rooms)) })
  }
  if (kind === "bytes") return sendBytes(ctx.req, ctx.res, answer as BytesAnswer, headers)
  const { body, status, headers: own } = kind === "json" ? (answer as JsonAnswer<unknown>) : { body: answer, status: undefined, headers: undefined }
  sendJson(exchange, status ?? decl?.status ?? 200, decl?.alsoAs && !ctx.req.headers["x-goclaw-user-id"] ? withPayload(body) : body, own)
}

/** Sends a failure, or ends a connection whose answer has begun. Never throws. */
export function sendFailure(exchange: Exchange, error: unknown, rooms: AnswerRooms): void {
  const { ctx, id } = exchange
  const { log } = rooms
  if (ctx.res.destroyed) {
    if (!isDeclared(error)) log.debug({ err: error, id }, "request left by its client")
  } else if (ctx.res.headersSent) {
    log.warn({ err: error, id }, "answer cut off")
    ctx.res.destroy()
  } else {
    const { status, headers, body } = failureReply(afterStop(error, rooms), listenerOf(exchange, rooms))
    sendJson(exchange, status, body, headers)
  }
}

export function sendJson({ ctx, headers }: Exchange, status: number, body: unknown, own?: Readonly<Record<string, string>>): void {
  const { req, res } = ctx
  const text = body instanceof Uint8Array ? body : JSON.stringify(body ?? {})
  const all: Record<string, string> = {
    ...headers,
    ...own,
    "content-type": "application/json; charset=utf-8",
    "content-length": String(typeof text === "string" ? Buffer.byteLength(text) : text.length),
  }
  if (req.method === "HEAD") res.writeHead(status, all).end()
  else if (hasRest(req)) {
    all.connection = "close"
    res.writeHead(status, all).write(text)
    endAfterRest(req, res)
  } else res.writeHead(status, all).end(text)
}

/** What breaks because the gateway stops is no fault to look into. */
function afterStop(error: unknown, { stopping, log }: AnswerRooms): unknown {
  if (!stopping.aborted || isDeclared(error)) return error
  log.debug({ err: error }, "request ended by the stop")
  return fail("unavailable", {}, { retryAfterMs: 2_000 })
}

function listenerOf({ id, locale, decl, tenantId }: Exchange, { log, registry }: AnswerRooms): Listener {
  return { id, locale, decl, tenantId, log, texts: registry.current.texts }
}

/** The list reader of today's command-line client unwraps `payload`. Source: wire contract, http-core 1.4. */
function withPayload(body: unknown): unknown {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body
  const rows = Object.values(body).find(Array.isArray)
  return rows ? { ...body, payload: rows } : body
}
