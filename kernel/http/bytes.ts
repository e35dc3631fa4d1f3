import { hash } from "node:crypto"
import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import type { IncomingMessage, ServerResponse } from "node:http"
import { pipeline } from "node:stream/promises"
import type { BytesAnswer } from "@plugboard/sdk"
import { fail } from "../failures.ts"

interface Range {
  start: number
  end: number
}

/** Bytes with Range, ETag and HEAD. The type that is declared is the type: browsers do not guess. Source: RFC 9110, sections 8.8 and 14. */
export async function sendBytes(request: IncomingMessage, response: ServerResponse, answer: BytesAnswer, headers: Record<string, string>): Promise<void> {
  const { content } = answer
  const facts = "path" in content ? await factsOf(content.path) : undefined
  const size = facts ? facts.size : (content as Uint8Array).length
  const etag = quoted(answer.etag ?? (facts ? `${facts.size.toString(16)}-${Math.trunc(facts.mtimeMs).toString(16)}` : hash("sha1", content as Uint8Array, "hex")))
  const common: Record<string, string> = {
    ...headers,
    etag,
    "accept-ranges": "bytes",
    "content-type": answer.contentType,
    ...(answer.filename !== undefined && { "content-disposition": disposition(answer.filename) }),
    ...answer.headers,
  }
  if (matches(request.headers["if-none-match"], etag)) {
    response.writeHead(304, common).end()
    return
  }
  const condition = request.headers["if-range"]
  const range = condition === undefined || (condition === etag && !etag.startsWith("W/")) ? rangeOf(request.headers.range, size) : undefined
  if (range === "bad") throw fail("bad_range", { size })
  const { start, end } = range ?? { start: 0, end: size - 1 }
  if (range) common["content-range"] = `bytes ${start}-${end}/${size}`
  response.writeHead(range ? 206 : 200, { ...common, "content-length": String(Math.max(0, end - start + 1)) })
  if (request.method === "HEAD" || size === 0) response.end()
  else if ("path" in content) await pipeline(createReadStream(content.path, { start, end }), response)
  else response.end(content.subarray(start, end + 1))
}

async function factsOf(path: string): Promise<{ size: number; mtimeMs: number }> {
  const facts = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === "ENOENT" || cause.code === "ENOTDIR" ? fail("not_found", {}, { cause }) : cause
  })
  if (!facts.isFile()) throw fail("not_found")
  return facts
}

/** One range; several at once, and what is no range, are answered whole, which the RFC allows. */
function rangeOf(header: string | undefined, size: number): Range | "bad" | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "") ?? []
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined
  if (first === "") return Number(last) === 0 || size === 0 ? "bad" : { start: Math.max(0, size - Number(last)), end: size - 1 }
  const start = Number(first)
  if (last !== "" && Number(last) < start) return undefined
  return start >= size ? "bad" : { start, end: last === "" ? size - 1 : Math.min(Number(last), size - 1) }
}

function matches(header: string | undefined, etag: string): boolean {
  const plain = etag.replace(/^W\//, "")
  return header?.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === plain) ?? false
}

function quoted(etag: string): string {
  return etag.endsWith('"') ? etag : `"${etag}"`
}

/** RFC 6266: a plain name for old clients, the real one for the others. */
function disposition(filename: string): string {
  const plain = filename.replace(/[^\x20-\x7e]|["\\%]/g, "_")
  const real = encodeURIComponent(filename.toWellFormed()).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)
  return `inline; filename="${plain}"; filename*=UTF-8''${real}`
}
