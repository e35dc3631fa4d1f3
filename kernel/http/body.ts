import type { IncomingMessage } from "node:http"
import type { RouteDecl } from "@plugboard/sdk"
import type { TSchema } from "typebox"
import { fail } from "../failures.ts"
import { compileValidator } from "../validate.ts"
import { multipartReader } from "./multipart.ts"
import { cutOff, newParser, type Parse, type ReadBody, reading, refuseTooLarge, unsupported } from "./parse.ts"

/** Bytes of a body whose route names no limit. Source: wire contract, http-core 1.5. */
const defaultLimit = 1 << 20
/** Levels of a JSON body. Far beyond what any client sends; what walks a body by calling itself must not run out of stack. */
const mostLevels = 100

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
    if (!declared) ctx.req.headers["content-type"] = "application/json"
    else if (!ctx.is("json", "+json")) throw unsupported(declared, "application/json")
    await reading(await jsonParser(limit), ctx, limit)
    const length = ctx.req.headers["content-length"]
    const parsed = (ctx.request as { body?: unknown }).body ?? {}
    // What the parser makes of no bytes at all, which only a body without a length can turn out to be.
    const value = parsed === "" && length === undefined ? {} : parsed
    if ((length === undefined || Number(length) > mostLevels * 2) && isDeeper(value, mostLevels)) throw fail("invalid_json", { reason: `more than ${mostLevels} levels` })
    return { body: validate(value, "body") }
  }
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
    request.on("data", (part: Buffer) => {
      size += part.length
      if (size > limit) reject(fail("too_large", { limit }))
      else parts.push(part)
    })
    request.once("end", () => resolve(Buffer.concat(parts)))
    request.once("close", () => reject(cutOff()))
    request.once("error", (error) => reject(cutOff(error)))
  })
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0
}

/** `Object.values`, since `for … in` over fresh objects costs more than the parser did (tried: 1.0 against 0.1 us a small body). */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false
  if (levels === 0) return true
  for (const member of Array.isArray(value) ? value : Object.values(value)) if (isDeeper(member, levels - 1)) return true
  return false
}
