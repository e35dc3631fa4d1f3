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
    if (!declared) ctx.req.headers["content-type"] = "application/json"
    else if (!ctx.is("json", "+json")) throw unsupported(declared, "application/json")
    await reading(await jsonParser(limit), ctx, limit)
    const parsed = (ctx.request as { body?: unknown }).body ?? {}
    // What the parser makes of no bytes at all, which only a body without a length can turn out to be.
    return { body: validate(parsed === "" && ctx.req.headers["content-length"] === undefined ? {} : parsed, "body") }
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
