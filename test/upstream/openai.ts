import { chunk, completion, event, failure, usageChunk } from "./bytes.ts"
import { type Format, type Spent, words } from "./format.ts"
import { type Speech, startProvider, type Upstream, type UpstreamOptions } from "./provider.ts"
import type { Received } from "./server.ts"

export type { Upstream } from "./provider.ts"

const kinds: Readonly<Record<number, string>> = { 429: "requests", 500: "server_error", 529: "overloaded_error" }
const codes: Readonly<Record<number, string>> = { 401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded" }

/** OpenAI's chat completions. Source: the public API reference. */
export const openAiFormat: Format = {
  alternates: true,
  voice: (model) => ({
    say: (content) => event(chunk(model, { content })),
    think: (text) => event(chunk(model, { reasoning_content: text })),
    call: (index, id, name) => event(chunk(model, { tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] })),
    args: (index, fragment) => event(chunk(model, { tool_calls: [{ index, function: { arguments: fragment } }] })),
    end: (finish, spent) => [chunk(model, {}, finish), usageChunk(model, wireUsage(spent)), "[DONE]"].map(event).join(""),
  }),
  whole: (model, { texts, thinking, finish, spent }) =>
    completion(model, { content: texts.join(""), ...(thinking !== undefined && { reasoning_content: thinking }) }, finish, wireUsage(spent)),
  failure(status, message, why) {
    if (why === "context") return failure("This model's maximum context length is 8192 tokens.", "invalid_request_error", "context_length_exceeded")
    if (why === "filter") return failure("The content was filtered.", "invalid_request_error", "content_filter")
    return failure(message, kinds[status] ?? "invalid_request_error", codes[status] ?? null)
  },
  failureEvent: (status, message) => event(JSON.stringify({ error: { message, type: kinds[status], code: status } })),
  unknown: () => event(JSON.stringify({ x_new: [1], choices: [{ index: 0, delta: { content: "hello", x_new: {} }, x_new: null }] })) + event(JSON.stringify({ choices: null })),
}

export function wireUsage({ prompt, completion: said, cached = 0, written = 0, thinking = 0 }: Spent) {
  const [all, out] = [prompt + cached + written, said + thinking]
  return {
    prompt_tokens: all,
    completion_tokens: out,
    total_tokens: all + out,
    ...(cached > 0 && { prompt_tokens_details: { cached_tokens: cached } }),
    ...(thinking > 0 && { completion_tokens_details: { reasoning_tokens: thinking } }),
  }
}

const list = JSON.stringify({
  object: "list",
  data: ["words-50", "echo", "gpt-4o"].map((id) => ({ id, object: "model", created: 1_700_000_000, owned_by: "upstream" })),
})
const limit = { status: 429, body: failure("Rate limit reached", "requests", "rate_limit_exceeded") }

export const openAiSpeech: Speech = {
  format: openAiFormat,
  base: "/v1",
  asked({ path, body }) {
    if (path === "/v1/chat/completions") return { what: "chat", model: body.model ?? "", streaming: body.stream === true }
    if (path === "/v1/models") return { what: "models" }
    return path === "/v1/embeddings" ? { what: "embeddings" } : undefined
  },
  keyIn: ({ headers }) => headers.authorization?.replace(/^Bearer /, ""),
  lastText: ({ body }) => String(body.messages?.findLast(({ role }: { role: string }) => role === "user")?.content ?? ""),
  models: () => list,
  embeddings({ body: { input, model } }: Received) {
    const data = ([input].flat() as string[]).map((text, index) => ({ object: "embedding", index, embedding: [text.length, index, 1] }))
    // In any order: the index says which is which.
    return JSON.stringify({ object: "list", data: data.reverse(), model, usage: { prompt_tokens: data.length, total_tokens: data.length } })
  },
  faults: {
    "limited-ms": (reply, [ms = 20]) => reply.json(limit.status, limit.body, { "retry-after": "1", "retry-after-ms": String(ms) }),
    /** Says finish, but not [DONE], as some do. */
    "no-done": (reply) => reply.start([...said(3), event(chunk("m", {}, "stop"))].join("")).end(),
    /** Says [DONE], but no finish. */
    "only-done": (reply) => reply.start([...said(3), event("[DONE]")].join("")).end(),
    /** An event of several lines, as the standard allows. */
    "many-lines": (reply) =>
      reply
        .start(
          `${JSON.stringify(JSON.parse(chunk("m", { content: "one event" }, "stop")), null, 1)
            .split("\n")
            .map((line) => `data: ${line}\r\n`)
            .join("")}\r\n`,
        )
        .end(),
  },
}

function said(count: number): string[] {
  return words(count).map((content) => event(chunk("m", { content })))
}

export function startUpstream(options?: UpstreamOptions): Promise<Upstream> {
  return startProvider(openAiSpeech, options)
}
