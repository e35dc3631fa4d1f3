import type { BytesAnswer, JsonAnswer, SseAnswer } from "@plugboard/sdk"
import { fail } from "../failures.ts"

type Headers = Readonly<Record<string, string>>

/** Headers that a plugin's answer may have besides those that begin with `x-<id>-`. Cookies, CORS, CSP and what proxies act on are the gateway's. */
const permitted = new Set(["cache-control", "content-language", "expires", "last-modified", "etag", "location", "retry-after", "vary"])
/** A page of a plugin's is on the gateway's own origin: it runs no script and is of no origin. */
const pageRules: Headers = { "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'" }

/** The answer of a plugin's route as the gateway may send it. Throws when it is none, or asks for what is not its to say. */
export function checkedAnswer(plugin: string, answer: unknown): unknown {
  if (typeof answer !== "object" || answer === null || !("answer" in answer)) return answer
  const refuse = (what: string) => fail("not_granted", { plugin, what })
  const headersOf = (given: unknown): Headers => {
    const headers = Object.entries((given ?? {}) as Record<string, unknown>)
    const stray = headers.find(([name, value]) => !isPermitted(plugin, name) || typeof value !== "string" || !/^[\t\x20-\x7e]{0,4000}$/.test(value))
    if (stray) throw refuse(`the header ${stray[0].slice(0, 100)}`)
    return Object.fromEntries(headers) as Headers
  }
  if (answer.answer === "json") {
    const { body, status, headers } = answer as JsonAnswer<unknown>
    if (status !== undefined && !isStatus(status)) throw refuse(`the status ${JSON.stringify(status)}`)
    return { answer: "json", body, status, headers: headersOf(headers) } satisfies JsonAnswer<unknown>
  }
  if (answer.answer === "bytes") {
    const { content, contentType, etag, filename, headers } = answer as BytesAnswer
    // A path would be read by the gateway, with the gateway's rights.
    if (!(content instanceof Uint8Array)) throw refuse("files of the gateway; it answers with the bytes themselves")
    if (typeof contentType !== "string" || !/^[\w.+-]+\/[\w.+-]+(;[ \w.+=-]+)?$/.test(contentType)) throw refuse(`the content type ${String(contentType).slice(0, 100)}`)
    const named = { ...(isText(etag) && { etag }), ...(typeof filename === "string" && { filename: filename.slice(0, 255) }) }
    return { answer: "bytes", content, contentType, ...named, headers: { ...headersOf(headers), ...pageRules } } satisfies BytesAnswer
  }
  if (answer.answer === "sse") {
    const { frames, headers } = answer as SseAnswer
    if (typeof frames !== "object" || frames === null || !(Symbol.asyncIterator in frames)) throw refuse("a stream of events that is none")
    return { answer: "sse", frames, headers: headersOf(headers) } satisfies SseAnswer
  }
  return answer
}

function isPermitted(plugin: string, name: string): boolean {
  const lower = name.toLowerCase()
  return permitted.has(lower) || lower.startsWith(`x-${plugin}-`)
}

/** 401 ends a login of the gateway's, and what has no body or is no final answer would put the connection out of step. */
function isStatus(status: unknown): boolean {
  return typeof status === "number" && Number.isInteger(status) && status >= 200 && status <= 599 && ![204, 205, 304, 401, 407].includes(status)
}

function isText(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]{1,200}$/.test(value)
}
