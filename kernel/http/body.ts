import type { IncomingMessage } from "node:http"
import type { RouteDecl } from "@plugboard/sdk"
import type { TSchema } from "typebox"
import { fail } from "../failures.ts"
import { compileValidator } from "../validate.ts"
import { multipartReader } from "./multipart.ts"
import { cutOff, newParser, type Parse, type ReadBody, reading, refuseTooLarge, unsupported } from "./parse.ts"

/** Bytes of a body whose route names no limit. Source: wire contract, http-core 1.5. */
const defaultLimit = 1 << 20

export function bodyReader(decl: RouteDecl): ReadBody {
  const { body } = decl
  if (body === undefined) return async () => ({ body: undefined })
  if (!("bodyKind" in body)) return jsonReader(body, decl.limits?.bodyBytes ?? defaultLimit)
  return body.bodyKind === "raw" ? rawReader(body.maxBytes, body.types) : multipartReader(body)
}

const parsers = new Map<number, Promise<Parse>>()

/** Loaded with the first body: a gateway that starts needs none. */
function jsonParser(limit: number): Promise<Parse> {
  const known = parsers.get(limit)
  if (known) return known
  const made = newParser({ json: true, jsonTypes: ["json", "+json"], jsonLimit: limit, jsonStrict: false, urlencoded: false, text: false, multipart: false })
  parsers.set(limit, made)
  return made
}

function jsonReader(schema: TSchema, limit: number): ReadBody {
  const validate = compileValidator(schema, "body")
  return async function readJson(ctx) {
    if (!hasBody(ctx.req)) return { body: validate({}, "body") }
    refuseTooLarge(ctx.req, limit)
    const declared = ctx.req.headers["content-type"]
    if (isPlain(ctx.req, declared)) return { body: validate(parseJson(await collect(ctx.req, limit)), "body") }
    if (!declared) ctx.req.headers["content-type"] = "application/json"
    else if (!ctx.is("json", "+json")) throw unsupported(declared, "application/json")
    await reading(await jsonParser(limit), ctx, limit)
    const parsed = (ctx.request as { body?: unknown }).body ?? {}
    // What the parser makes of no bytes at all, which only a body without a length can turn out to be.
    return { body: validate(parsed === "" && ctx.req.headers["content-length"] === undefined ? {} : parsed, "body") }
  }
}

/** What nearly every client sends: JSON in UTF-8, in one piece whose length is known. koa-body reads the rest; it takes five libraries through each body, which is a twentieth of what a turn costs. */
function isPlain({ headers }: IncomingMessage, type: string | undefined): boolean {
  if (headers["content-length"] === undefined || headers["content-encoding"] !== undefined) return false
  return type === undefined || type === "application/json" || /^application\/json; ?charset=utf-8$/i.test(type)
}

const utf8 = new TextDecoder()

function parseJson(bytes: Buffer): unknown {
  const text = utf8.decode(bytes)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw fail("invalid_json", { reason: (error as Error).message.slice(0, 200) }, { cause: error })
  }
  // The name can also be written with escapes.
  if ((text.includes("__proto__") || text.includes("\\u")) && namesPrototype(value)) throw fail("invalid_json", { reason: "Object contains forbidden prototype property" })
  return value
}

/** Not by calling itself: how deep the value is has not been looked at. */
function namesPrototype(value: unknown): boolean {
  const left = [value]
  while (left.length > 0) {
    const node = left.pop()
    if (typeof node !== "object" || node === null) continue
    if (Object.hasOwn(node, "__proto__")) return true
    for (const member of Object.values(node)) left.push(member)
  }
  return false
}

function rawReader(limit: number, types: readonly string[] | undefined): ReadBody {
  return async function readRaw(ctx) {
    refuseTooLarge(ctx.req, limit)
    const declared = ctx.req.headers["content-type"]
    if (types && declared && !ctx.is([...types])) throw unsupported(declared, types.join(", "))
    return { body: hasBody(ctx.req) ? await collect(ctx.req, limit) : Buffer.alloc(0) }
  }
}

/** Not by iterating: leaving the loop early would end the connection before it is answered. */
function collect(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let size = 0
    let ended = false
    request.on("data", (part: Buffer) => {
      size += part.length
      if (size > limit) reject(fail("too_large", { limit }))
      else parts.push(part)
    })
    request.once("end", () => {
      ended = true
      resolve(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts))
    })
    // Comes behind every end, too; a failure that nobody hears of costs its stack all the same.
    request.once("close", () => {
      if (!ended) reject(cutOff())
    })
    request.once("error", (error) => reject(cutOff(error)))
  })
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0
}
