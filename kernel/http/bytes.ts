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
  const facts = "path" in content ? await stat(content.path) : undefined
  const size = facts ? facts.size : (content as Uint8Array).length
  const etag = answer.etag ?? (facts ? `"${facts.size.toString(16)}-${Math.trunc(facts.mtimeMs).toString(16)}"` : `"${hash("sha1", content as Uint8Array, "hex")}"`)
  const common: Record<string, string> = {
    ...headers,
    ...answer.headers,
    etag,
    "accept-ranges": "bytes",
    "content-type": answer.contentType,
    ...(answer.filename !== undefined && { "content-disposition": disposition(answer.filename) }),
  }
  if (matches(request.headers["if-none-match"], etag)) {
    response.writeHead(304, common).end()
    return
  }
  const current = request.headers["if-range"] === undefined || request.headers["if-range"] === etag
  const range = current ? rangeOf(request.headers.range, size) : undefined
  if (range === "bad") throw fail("bad_range", { size })
  const { start, end } = range ?? { start: 0, end: size - 1 }
  if (range) common["content-range"] = `bytes ${start}-${end}/${size}`
  response.writeHead(range ? 206 : 200, { ...common, "content-length": String(Math.max(0, end - start + 1)) })
  if (request.method === "HEAD" || size === 0) {
    response.end()
    return
  }
  if ("path" in content) await pipeline(createReadStream(content.path, { start, end }), response)
  else response.end((content as Uint8Array).subarray(start, end + 1))
}

/** One range; several at once are answered whole, which the RFC allows. */
function rangeOf(header: string | undefined, size: number): Range | "bad" | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "") ?? []
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1)
  return start >= size || start > end ? "bad" : { start, end }
}

function matches(header: string | undefined, etag: string): boolean {
  return header !== undefined && header.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === etag)
}

/** RFC 6266: a plain name for old clients, the real one for the others. */
function disposition(filename: string): string {
  const plain = filename.replace(/[^\x20-\x7e]|["\\]/g, "_")
  return `inline; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(filename)}`
}
