import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { completion, failure, stream, usageOf, words } from "./bytes.ts"
import { models } from "./faults.ts"

export interface Received {
  path: string
  headers: IncomingHttpHeaders
  /** Parsed JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what was sent and fails by itself when it is something else.
  body: any
  /** The connection that it came on. */
  socket: Socket
  /** Resolves when the answer is over; true when the client left before that. */
  closed: Promise<boolean>
}

/** One answer, with what a fault needs. */
export interface Reply {
  readonly gone: boolean
  json(status: number, body: string | Uint8Array, headers?: Record<string, string>): void
  send(status: number, type: string, body: string | Uint8Array, headers?: Record<string, string>): void
  /** The head of an event stream, once, and these texts. */
  start(texts: string | Uint8Array | readonly string[]): Reply
  write(bytes: string | Uint8Array): void
  /** Resolves when what was written has left, so that the next piece travels by itself. */
  flushed(): Promise<void>
  end(): void
  destroy(): void
}

export type Script = (received: Received, reply: Reply) => void | Promise<void>

export interface Upstream {
  /** With `/v1`. */
  readonly url: string
  readonly requests: Received[]
  /** Tokens of whole answers, as a provider would bill them. */
  readonly billed: { promptTokens: number; completionTokens: number }
  /** Answers every chat completion from now on; undefined: by the model's name again. */
  script(script: Script | undefined): void
  close(): Promise<void>
}

export interface UpstreamOptions {
  /** Refuses every other key. */
  key?: string
}

const paragraph = words(50)
const spoken = new Map<string, Buffer>()
const list = JSON.stringify({
  object: "list",
  data: ["words-50", "echo", "gpt-4o"].map((id) => ({ id, object: "model", created: 1_700_000_000, owned_by: "upstream" })),
})

/**
 * A provider on this machine that speaks OpenAI's wire format. The model's name chooses the answer: `words-N` (and any other name, with N = 50), `echo`, `large` (1 MB),
 * or a fault of `faults.ts`. Answers are bytes made in advance, so that a bench measures the caller.
 */
export async function startUpstream({ key }: UpstreamOptions = {}): Promise<Upstream> {
  const requests: Received[] = []
  const billed = { promptTokens: 0, completionTokens: 0 }
  let script: Script | undefined

  function chat(received: Received, reply: Reply): void | Promise<void> {
    if (script) return script(received, reply)
    const { model = "", stream: streaming = false } = received.body as { model?: string; stream?: boolean }
    const { name, numbers } = namedFault(model)
    if (name) return models[name]?.(reply, numbers, received)
    const texts = textsOf(model, received.body)
    billed.promptTokens += 20
    billed.completionTokens += texts.length
    const usage = usageOf(20, texts.length)
    const make = () =>
      streaming
        ? stream(
            model,
            texts.map((content) => ({ content })),
            "stop",
            usage,
          ).join("")
        : completion(model, { content: texts.join("") }, "stop", usage)
    const body = model === "echo" ? make() : madeOnce(`${model} ${streaming}`, make)
    reply.send(200, streaming ? "text/event-stream" : "application/json", body)
  }

  async function answer(received: Received, reply: Reply): Promise<void> {
    if (key !== undefined && received.headers.authorization !== `Bearer ${key}`)
      return reply.json(401, failure("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"))
    if (received.path === "/v1/chat/completions") await chat(received, reply)
    else if (received.path === "/v1/models") reply.json(200, list)
    else if (received.path === "/v1/embeddings") reply.json(200, embeddings(received.body))
    else reply.json(404, failure(`Unknown request URL: ${received.path}`, "invalid_request_error", "unknown_url"))
  }

  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on("data", (part: Buffer) => parts.push(part))
    request.on("end", () => {
      const text = Buffer.concat(parts).toString()
      const closed = new Promise<boolean>((resolve) => {
        response.on("close", () => resolve(!response.writableFinished))
      })
      const received: Received = { path: request.url ?? "", headers: request.headers, body: text === "" ? undefined : JSON.parse(text), socket: request.socket, closed }
      requests.push(received)
      void answer(received, replyOver(response))
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    billed,
    script: (next) => {
      script = next
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    },
  }
}

function madeOnce(slot: string, make: () => string): Buffer {
  const known = spoken.get(slot) ?? Buffer.from(make())
  spoken.set(slot, known)
  return known
}

/** `cut-after-3` is the fault `cut-after` with 3. */
function namedFault(model: string): { name: string | undefined; numbers: number[] } {
  const [, name = "", rest = ""] = /^(.*?)((?:-\d+)*)$/.exec(model) ?? []
  return { name: name in models ? name : undefined, numbers: rest.split("-").slice(1).map(Number) }
}

function textsOf(model: string, body: { messages?: { role: string; content: unknown }[] }): string[] {
  if (model === "echo") return String(body.messages?.findLast(({ role }) => role === "user")?.content ?? "").match(/\s*\S+\s*/g) ?? [""]
  if (model === "large") return Array.from({ length: 1_024 }, () => "x".repeat(1_024))
  const count = /^words-(\d+)$/.exec(model)?.[1]
  return count === undefined ? paragraph : words(Number(count))
}

function embeddings({ input, model }: { input: string | string[]; model: string }): string {
  const data = [input].flat().map((text, index) => ({ object: "embedding", index, embedding: [text.length, index, 1] }))
  // In any order: the index says which is which.
  return JSON.stringify({ object: "list", data: data.reverse(), model, usage: { prompt_tokens: data.length, total_tokens: data.length } })
}

function replyOver(response: ServerResponse): Reply {
  const reply: Reply = {
    get gone() {
      return response.destroyed
    },
    json: (status, body, headers) => reply.send(status, "application/json", body, headers),
    send(status, type, body, headers = {}) {
      response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body), ...headers }).end(body)
    },
    start(texts) {
      if (!response.headersSent) response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
      response.flushHeaders()
      const bytes = Array.isArray(texts) ? texts.join("") : (texts as string | Uint8Array)
      if (bytes.length > 0) response.write(bytes)
      return reply
    },
    write: (bytes) => void response.write(bytes),
    flushed: () => new Promise((resolve) => setImmediate(resolve)),
    end: () => void response.end(),
    destroy: () => void response.destroy(),
  }
  return reply
}
