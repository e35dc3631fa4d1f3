import type { IncomingMessage } from "node:http"
import { rm } from "node:fs/promises"
import { basename } from "node:path"
import type { RouteDecl, UploadedFile } from "@plugboard/sdk"
import type { Context } from "koa"
import { koaBody } from "koa-body"
import type { TSchema } from "typebox"
import { fail } from "../failures.ts"
import { compileValidator } from "../validate.ts"

const defaultLimit = 1 << 20

/** Reads and checks a body as its route declares it; the client's content type chooses nothing. */
export type ReadBody = (ctx: Context) => Promise<{ body: unknown; done?: () => Promise<void> }>

type Parse = (ctx: Context, next: () => Promise<void>) => Promise<void>
const nothing = async () => undefined

export function bodyReader(decl: RouteDecl): ReadBody {
  const { body } = decl
  if (body === undefined) return async () => ({ body: undefined })
  if ("bodyKind" in body) return body.bodyKind === "raw" ? rawReader(body.maxBytes) : multipartReader(body as never)
  return jsonReader(body, decl.limits?.bodyBytes ?? defaultLimit)
}

function jsonReader(schema: TSchema, limit: number): ReadBody {
  const validate = compileValidator(schema, "body")
  const parse = koaBody({ json: true, jsonLimit: limit, jsonStrict: false, urlencoded: false, text: false, multipart: false, parsedMethods: ["POST", "PUT", "PATCH", "DELETE"] as never }) as Parse
  return async function readJson(ctx) {
    if (!hasBody(ctx.req)) return { body: validate({}, "body") }
    refuseTooLarge(ctx.req, limit)
    const declared = ctx.req.headers["content-type"]
    if (declared === undefined) ctx.req.headers["content-type"] = "application/json"
    else if (!ctx.is("json", "+json")) throw fail("unsupported_type", { type: declared.slice(0, 100), expected: "application/json" })
    await reading(parse, ctx, limit)
    const value = (ctx.request as { body?: unknown }).body ?? {}
    if (typeof value === "object" && value !== null && Object.hasOwn(value, "__proto__")) delete (value as Record<string, unknown>).__proto__
    return { body: validate(value, "body") }
  }
}

function multipartReader(decl: { file: string; fields: TSchema; maxBytes: number }): ReadBody {
  const validate = compileValidator(decl.fields, "query")
  const parse = koaBody({
    json: false,
    urlencoded: false,
    text: false,
    multipart: true,
    formidable: {
      maxFileSize: decl.maxBytes,
      maxTotalFileSize: decl.maxBytes,
      maxFiles: 1,
      maxFields: 100,
      maxFieldsSize: defaultLimit,
      allowEmptyFiles: true,
      minFileSize: 0,
      // Any other file is not written at all.
      filter: ({ name }: { name?: string | null }) => name === decl.file,
    },
  }) as Parse
  return async function readMultipart(ctx) {
    refuseTooLarge(ctx.req, decl.maxBytes + defaultLimit)
    if (!ctx.is("multipart/form-data")) throw fail("unsupported_type", { type: (ctx.req.headers["content-type"] ?? "none").slice(0, 100), expected: "multipart/form-data" })
    await reading(parse, ctx, decl.maxBytes)
    const { body, files } = ctx.request as unknown as { body?: Record<string, unknown>; files?: Record<string, Uploaded | Uploaded[]> }
    const uploads = Object.values(files ?? {}).flat()
    const done = async () => {
      await Promise.all(uploads.map((upload) => rm(upload.filepath, { force: true })))
    }
    try {
      const upload = [files?.[decl.file] ?? []].flat()[0]
      return { body: { file: upload && uploaded(upload), fields: validate({ ...body }, "fields") }, done }
    } catch (error) {
      await done()
      throw error
    }
  }
}

interface Uploaded {
  filepath: string
  originalFilename: string | null
  mimetype: string | null
  size: number
}

function uploaded(file: Uploaded): UploadedFile {
  // Both kinds of slashes: browsers of other systems send whole paths.
  const filename = basename((file.originalFilename ?? "file").replaceAll("\\", "/")).replaceAll("\0", "")
  return { path: file.filepath, filename: filename || "file", contentType: file.mimetype ?? "application/octet-stream", bytes: file.size }
}

function rawReader(limit: number): ReadBody {
  return async function readRaw(ctx) {
    refuseTooLarge(ctx.req, limit)
    const parts: Buffer[] = []
    let size = 0
    for await (const part of ctx.req) {
      size += (part as Buffer).length
      if (size > limit) throw fail("too_large", { limit })
      parts.push(part as Buffer)
    }
    return { body: Buffer.concat(parts) }
  }
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0
}

function refuseTooLarge(request: IncomingMessage, limit: number): void {
  if (Number(request.headers["content-length"] ?? 0) > limit) throw fail("too_large", { limit })
}

/** The parser's own failures in our words. */
async function reading(parse: Parse, ctx: Context, limit: number): Promise<void> {
  try {
    await parse(ctx, nothing)
  } catch (error) {
    const { status, type, code, httpCode } = error as { status?: number; type?: string; code?: unknown; httpCode?: number }
    if (status === 413 || httpCode === 413 || type === "entity.too.large") throw fail("too_large", { limit }, { cause: error })
    if (status === 415) throw fail("unsupported_type", { type: String(ctx.req.headers["content-encoding"] ?? ctx.req.headers["content-type"]).slice(0, 100), expected: "UTF-8" }, { cause: error })
    if (code === "ECONNRESET" || type === "request.aborted") throw fail("invalid_request", { where: "body", reason: "the connection ended before the body did" }, { cause: error })
    throw fail("invalid_json", { reason: (error as Error).message.slice(0, 200) }, { cause: error })
  }
}
