import { setTimeout as sleep } from "node:timers/promises"
import { chunk, event, failure, stream, usageChunk, usageOf, words } from "./bytes.ts"
import type { Received, Reply } from "./openai.ts"

/**
 * What goes wrong, or is unusual, by the name of the model; numbers behind it (`cut-after-3`, `paced-20-50`) are handed on. Each answers a stream, whatever was asked,
 * except where it says a status.
 */
export const models: Readonly<Record<string, (reply: Reply, numbers: readonly number[], received: Received) => void | Promise<void>>> = {
  /** `status-500`: an error object with that status. */
  status: (reply, [status = 500]) => reply.json(status, failure(`the model says ${status}`, kinds[status] ?? "server_error", codes[status] ?? null)),
  /** `limited-3`: 429, try again in 3 s. */
  limited: (reply, [seconds = 1]) => reply.json(429, failure("Rate limit reached", "requests", "rate_limit_exceeded"), { "retry-after": String(seconds) }),
  "limited-ms": (reply, [ms = 20]) => reply.json(429, failure("Rate limit reached", "requests", "rate_limit_exceeded"), { "retry-after": "1", "retry-after-ms": String(ms) }),
  "limited-date": (reply, [seconds = 60]) => reply.json(429, failure("Rate limit reached", "requests"), { "retry-after": new Date(Date.now() + seconds * 1_000).toUTCString() }),
  "too-long": (reply) => reply.json(400, failure("This model's maximum context length is 8192 tokens.", "invalid_request_error", "context_length_exceeded")),
  filtered: (reply) => reply.json(400, failure("The content was filtered.", "invalid_request_error", "content_filter")),
  /** Repeats the key in its complaint, as some do. */
  "tells-key": (reply, _, { headers }) => reply.json(401, failure(`Incorrect API key provided: ${headers.authorization?.slice(7)}.`, "invalid_request_error", "invalid_api_key")),
  html: (reply) => reply.send(502, "text/html", "<html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>"),
  "not-json": (reply) => reply.send(200, "application/json", "<!doctype html>"),
  hang: () => undefined,
  /** `hang-after-3`: three words, then silence. */
  "hang-after": (reply, [count = 1]) => void reply.start(said(count)),
  /** `cut-after-3`: three words, then the socket is gone. */
  async "cut-after"(reply, [count = 1]) {
    reply.start(said(count))
    await sleep(20)
    reply.destroy()
  },
  /** Ends in order, but says neither finish nor [DONE]. */
  "no-finish": (reply, [count = 3]) => reply.start(said(count)).end(),
  /** Says finish, but not [DONE], as some do. */
  "no-done": (reply) => reply.start([...said(3), event(chunk("m", {}, "stop"))].join("")).end(),
  /** Says [DONE], but no finish. */
  "only-done": (reply) => reply.start([...said(3), event("[DONE]")].join("")).end(),
  malformed: (reply) => reply.start([...said(2), 'data: {"choices": [{"delta": {"content": "brok\n\n', ...said(1)]).end(),
  "error-event": (reply) => reply.start([...said(2), event(failure("The server had an error.", "server_error"))]).end(),
  "limit-event": (reply) => reply.start([...said(2), event(JSON.stringify({ error: { message: "Slow down.", type: "rate_limit_exceeded", code: 429 } }))]).end(),
  /** One event of 4 MB: a reader that allows 1 MiB sees it grow past that, however the network cuts it up. */
  "big-event": (reply) => reply.start([event(chunk("m", { content: "x".repeat(4_000_000) })), ...done(1)]).end(),
  "unknown-fields": (reply) =>
    reply
      .start([
        event(JSON.stringify({ x_new: [1], choices: [{ index: 0, delta: { content: "hello", x_new: {} }, x_new: null }], x_more: { deep: [{}] } })),
        "event: ping\nid: 1\nretry: 10\nx-field: y\n\n",
        event(JSON.stringify({ choices: null })),
        ...done(1),
      ])
      .end(),
  /** Carriage returns, comments, no space behind the colon, events of several lines. */
  crlf(reply) {
    const text = said(3).join("").replaceAll("data: ", "data:").replaceAll("\n", "\r\n")
    const lines = JSON.stringify(JSON.parse(chunk("m", { content: " end" })), null, 1).split("\n")
    reply.start([": ping\r\n\r\n", text, ...lines.map((line) => `data: ${line}\r\n`), "\r\n", ": ping\r\n", ...done(4)]).end()
  },
  /** Every byte by itself, in the middle of letters too. */
  async split(reply) {
    const bytes = Buffer.from([...stream("m", [{ content: "Xin chào " }, { content: "世界 " }, { content: "🔌" }], "stop", usageOf(5, 3))].join(""))
    reply.start([])
    for (const byte of bytes) {
      reply.write(Buffer.of(byte))
      await reply.flushed()
    }
    reply.end()
  },
  thinking: (reply) =>
    reply
      .start(
        stream("m", [{ reasoning_content: "Let me " }, { reasoning_content: "see." }, { content: "Yes." }], "stop", {
          ...usageOf(100, 30),
          prompt_tokens_details: { cached_tokens: 64 },
          completion_tokens_details: { reasoning_tokens: 20 },
        }),
      )
      .end(),
  /** `paced-20-50`: twenty words, 50 ms before each. */
  async paced(reply, [count = 10, ms = 20]) {
    reply.start([])
    for (const word of said(count)) {
      await sleep(ms)
      if (reply.gone) return
      reply.write(word)
    }
    reply.start(done(count)).end()
  },
  /** A call of `datetime` whose arguments come in 50 fragments, after a sentence, and a second call in between. */
  "tool-split"(reply) {
    const text = JSON.stringify({ tz: "Asia/Ho_Chi_Minh", note: `${"x".repeat(40)} "世界" 🔌` })
    const size = Math.ceil(text.length / 50)
    const fragments = Array.from({ length: 50 }, (_, at) => text.slice(at * size, (at + 1) * size))
    const call = (index: number, more: object) => ({ tool_calls: [{ index, ...more }] })
    reply
      .start(
        stream(
          "m",
          [
            { role: "assistant", content: "Let me look." },
            call(0, { id: "call_a", type: "function", function: { name: "datetime", arguments: "" } }),
            call(1, { id: "call_b", type: "function", function: { name: "datetime", arguments: "{}" } }),
            ...fragments.map((fragment) => call(0, { function: { arguments: fragment } })),
          ],
          "tool_calls",
          usageOf(20, 60),
        ),
      )
      .end()
  },
}

const kinds: Readonly<Record<number, string>> = { 401: "invalid_request_error", 404: "invalid_request_error", 429: "requests", 529: "overloaded_error" }
const codes: Readonly<Record<number, string>> = { 401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded" }

function said(count: number): string[] {
  return words(count).map((content) => event(chunk("m", { content })))
}

function done(count: number): string[] {
  return [chunk("m", {}, "stop"), usageChunk("m", usageOf(20, count)), "[DONE]"].map(event)
}
