import { setTimeout as sleep } from "node:timers/promises"
import { type Format, spoken, words } from "./format.ts"
import type { Received, Reply } from "./server.ts"

export type Fault = (reply: Reply, numbers: readonly number[], received: Received) => void | Promise<void>

/** What the call of `tool-split` says. */
export const splitArguments = { tz: "Asia/Ho_Chi_Minh", note: `${"x".repeat(40)} "世界" 🔌` }
/** What `split` says. */
export const splitText = "Xin chào 世界 🔌"

/**
 * What goes wrong, or is unusual, by the name of the model; numbers behind it (`cut-after-3`, `paced-20-50`) are handed on. Each answers a stream, whatever was asked,
 * except where it says a status.
 */
export function faultsIn(format: Format): Readonly<Record<string, Fault>> {
  const said = (count: number) => {
    const voice = format.voice("m")
    return words(count).map((word) => voice.say(word))
  }
  const whole = (texts: readonly string[]) => spoken(format.voice("m"), { texts, finish: "stop", spent: { prompt: 20, completion: texts.length } })

  return {
    /** `status-500`: an error object with that status. */
    status: (reply, [status = 500]) => reply.json(status, format.failure(status, `the model says ${status}`)),
    /** `limited-3`: 429, try again in 3 s. */
    limited: (reply, [seconds = 1]) => reply.json(429, format.failure(429, "Rate limit reached"), { "retry-after": String(seconds) }),
    "limited-date": (reply, [seconds = 60]) => reply.json(429, format.failure(429, "Rate limit reached"), { "retry-after": new Date(Date.now() + seconds * 1_000).toUTCString() }),
    "too-long": (reply) => reply.json(400, format.failure(400, "", "context")),
    filtered: (reply) => reply.json(400, format.failure(400, "", "filter")),
    /** Repeats the key in its complaint, as some do. */
    "tells-key": (reply, _, { headers }) => {
      const key = headers.authorization?.slice(7) ?? headers["x-api-key"] ?? headers["x-goog-api-key"]
      reply.json(401, format.failure(401, `Incorrect API key provided: ${key}.`))
    },
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
    /** Ends in order, but does not say that it has. */
    "no-finish": (reply, [count = 3]) => reply.start(said(count)).end(),
    malformed: (reply) => reply.start([...said(2), 'data: {"choices": [{"delta": {"content": "brok\n\n', ...said(1)]).end(),
    "error-event": (reply) => reply.start([...said(2), format.failureEvent(500, "The server had an error.")]).end(),
    "limit-event": (reply) => reply.start([...said(2), format.failureEvent(429, "Slow down.")]).end(),
    /** One event of 4 MB: a reader that allows 1 MiB sees it grow past that, however the network cuts it up. */
    "big-event": (reply) => reply.start(whole(["x".repeat(4_000_000)])).end(),
    "unknown-fields": (reply) => reply.start([format.unknown(), "event: ping\nid: 1\nretry: 10\nx-field: y\n\n", whole(["hello"])]).end(),
    /** Carriage returns, comments, no space behind the colon. */
    crlf: (reply) => reply.start([": ping\r\n\r\n", whole(words(3)).replaceAll("data: ", "data:").replaceAll("\n", "\r\n"), ": ping\r\n"]).end(),
    /** Every byte by itself, in the middle of letters too. */
    split: (reply) => inPieces(reply, whole(splitText.split(/(?<= )/)), 1),
    /** `paced-20-50`: twenty words, 50 ms before each. */
    async paced(reply, [count = 10, ms = 20]) {
      const voice = format.voice("m")
      reply.start([])
      for (const word of words(count)) {
        await sleep(ms)
        if (reply.gone) return
        reply.write(voice.say(word))
      }
      reply.start(voice.end("stop", { prompt: 20, completion: count })).end()
    },
    /** A sentence and two calls of `datetime`; the arguments of the first come in 50 fragments, and the network cuts all of it further. */
    "tool-split"(reply) {
      const text = JSON.stringify(splitArguments)
      const size = Math.ceil(text.length / 50)
      const voice = format.voice("m")
      const before = voice.say("Let me look.")
      const first = () => voice.call(0, "call_a", "datetime")
      const second = () => voice.call(1, "call_b", "datetime") + voice.args(1, "{}")
      const fragments = () => Array.from({ length: 50 }, (_, at) => voice.args(0, text.slice(at * size, (at + 1) * size)))
      const parts = format.alternates ? [first(), second(), ...fragments()] : [first(), ...fragments(), second()]
      return inPieces(reply, [before, ...parts, voice.end("tool_calls", { prompt: 20, completion: 60 })].join(""), 97)
    },
    thinking: (reply) =>
      reply
        .start(
          spoken(format.voice("m"), {
            thinking: "Let me see.",
            texts: ["Yes."],
            finish: "stop",
            spent: { prompt: 36, cached: 64, completion: 10, thinking: 20 },
          }),
        )
        .end(),
  }
}

async function inPieces(reply: Reply, text: string, size: number): Promise<void> {
  const bytes = Buffer.from(text)
  reply.start([])
  for (let at = 0; at < bytes.length; at += size) {
    reply.write(bytes.subarray(at, at + size))
    await reply.flushed()
  }
  reply.end()
}
