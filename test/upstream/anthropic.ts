import type { Finish, Format, Spent } from "./format.ts"
import { type Speech, startProvider, type Upstream, type UpstreamOptions } from "./provider.ts"

// Anthropic's Messages, from the provider's side. Source: the public API reference, "Messages" and "Streaming messages".

const stopReasons: Readonly<Record<Finish, string>> = { stop: "end_turn", length: "max_tokens", tool_calls: "tool_use" }
const errorTypes: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
  500: "api_error",
  529: "overloaded_error",
}
export const signature = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk="

const event = (data: { type: string; [name: string]: unknown }) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`

function wireUsage({ prompt, cached = 0, written = 0 }: Spent, out: number) {
  return { input_tokens: prompt, cache_creation_input_tokens: written, cache_read_input_tokens: cached, output_tokens: out }
}
const outOf = ({ completion, thinking = 0 }: Spent) => ({ output_tokens: completion + thinking, output_tokens_details: { thinking_tokens: thinking } })

/** Blocks come one after the other: a new sort of piece ends the block before. */
function voice(model: string) {
  let block = -1
  let open: string | undefined
  let begun = false
  const begin = (): string => {
    if (begun) return ""
    begun = true
    const message = {
      id: "msg_upstream",
      type: "message",
      role: "assistant",
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: wireUsage({ prompt: 0, completion: 0 }, 1),
    }
    return event({ type: "message_start", message }) + event({ type: "ping" })
  }
  const close = (): string => {
    const kind = open
    open = undefined
    const sign = kind === "thinking" ? event({ type: "content_block_delta", index: block, delta: { type: "signature_delta", signature } }) : ""
    return kind === undefined ? "" : sign + event({ type: "content_block_stop", index: block })
  }
  const within = (kind: string, content: object, delta?: object): string => {
    let text = begin()
    if (open !== kind) {
      text += close()
      block += 1
      open = kind
      text += event({ type: "content_block_start", index: block, content_block: content })
    }
    return delta ? text + event({ type: "content_block_delta", index: block, delta }) : text
  }
  return {
    say: (text: string) => within("text", { type: "text", text: "" }, { type: "text_delta", text }),
    think: (thinking: string) => within("thinking", { type: "thinking", thinking: "", signature: "" }, { type: "thinking_delta", thinking }),
    call: (index: number, id: string, name: string) => within(`call ${index}`, { type: "tool_use", id, name, input: {} }),
    args: (index: number, partial: string) => within(`call ${index}`, {}, { type: "input_json_delta", partial_json: partial }),
    end: (finish: Finish, spent: Spent) =>
      begin() +
      close() +
      event({ type: "message_delta", delta: { stop_reason: stopReasons[finish], stop_sequence: null }, usage: { ...wireUsage(spent, 0), ...outOf(spent) } }) +
      event({ type: "message_stop" }),
  }
}

/** Thinking, text, thinking that is hidden, and two calls: all of it is wanted back as it was. */
export const wholeCalls = {
  id: "msg_upstream",
  type: "message",
  role: "assistant",
  model: "m",
  content: [
    { type: "thinking", thinking: "The clock knows.", signature },
    { type: "text", text: "Let me look." },
    { type: "redacted_thinking", data: "aGlkZGVu" },
    { type: "tool_use", id: "toolu_1", name: "datetime", input: { tz: "UTC" } },
    { type: "tool_use", id: "toolu_2", name: "datetime", input: {} },
  ],
  stop_reason: "tool_use",
  stop_sequence: null,
  usage: wireUsage({ prompt: 20, completion: 9 }, 9),
}

/** The same as a stream. */
export function signedCalls(): string {
  const { content, ...message } = wholeCalls
  const blocks = content.map((block, index) => {
    const begin = (content_block: object) => event({ type: "content_block_start", index, content_block })
    const add = (delta: object) => event({ type: "content_block_delta", index, delta })
    const end = event({ type: "content_block_stop", index })
    if (block.type === "thinking")
      return begin({ ...block, thinking: "", signature: "" }) + add({ type: "thinking_delta", thinking: block.thinking }) + add({ type: "signature_delta", signature }) + end
    if (block.type === "text") return begin({ ...block, text: "" }) + add({ type: "text_delta", text: block.text }) + end
    if (block.type === "redacted_thinking") return begin(block) + end
    return begin({ ...block, input: {} }) + add({ type: "input_json_delta", partial_json: JSON.stringify(block.input) }) + end
  })
  const last = event({ type: "message_delta", delta: { stop_reason: "tool_use", stop_sequence: null }, usage: message.usage })
  return event({ type: "message_start", message: { ...message, content: [] } }) + blocks.join("") + last + event({ type: "message_stop" })
}

function failure(status: number, message: string) {
  return { type: "error", error: { type: errorTypes[status] ?? "invalid_request_error", message }, request_id: "req_upstream" }
}

export const anthropicFormat: Format = {
  alternates: false,
  voice,
  whole: (model, { texts, thinking, finish, spent }) =>
    JSON.stringify({
      id: "msg_upstream",
      type: "message",
      role: "assistant",
      model,
      content: [...(thinking === undefined ? [] : [{ type: "thinking", thinking, signature }]), { type: "text", text: texts.join("") }],
      stop_reason: stopReasons[finish],
      stop_sequence: null,
      usage: { ...wireUsage(spent, 0), ...outOf(spent) },
    }),
  failure(status, message, why) {
    if (why === "context") return JSON.stringify(failure(400, "prompt is too long: 210000 tokens > 200000 maximum"))
    if (why === "filter") return JSON.stringify(failure(400, "Output blocked by content filtering policy"))
    return JSON.stringify(failure(status, message))
  },
  failureEvent: (status, message) => event(failure(status, message)),
  unknown: () => event({ type: "x_new_event", deep: [{}] }) + event({ type: "content_block_delta", index: 7, delta: { type: "x_new_delta", x: 1 } }),
}

const speech: Speech = {
  format: anthropicFormat,
  base: "",
  asked({ path, body }) {
    if (path === "/v1/messages") return { what: "chat", model: body.model, streaming: body.stream === true }
    return path.startsWith("/v1/models?") || path === "/v1/models" ? { what: "models" } : undefined
  },
  keyIn: ({ headers }) => String(headers["x-api-key"]),
  lastText({ body }) {
    const { content } = body.messages.findLast(({ role }: { role: string }) => role === "user")
    return typeof content === "string" ? content : content.map(({ text = "" }: { text?: string }) => text).join("")
  },
  models: () =>
    JSON.stringify({
      data: ["claude-sonnet-4-5-20250929", "words-50"].map((id) => ({ type: "model", id, display_name: `Name of ${id}`, created_at: "2025-09-29T00:00:00Z" })),
      has_more: false,
      first_id: "claude-sonnet-4-5-20250929",
      last_id: "words-50",
    }),
  embeddings: () => "{}",
  /** What the API answers with a 400. */
  refuses({ headers, body }) {
    const refuse = (message: string) => ({ status: 400, body: JSON.stringify(failure(400, message)) })
    if (headers["anthropic-version"] !== "2023-06-01") return refuse("anthropic-version: header is required")
    if (!Number.isInteger(body.max_tokens)) return refuse("max_tokens: Field required")
    const blocks = body.messages.flatMap(({ content }: { content: string | object[] }) => content)
    if (blocks.some((block: { type?: string; text?: string } | string) => block === "" || (typeof block === "object" && block.type === "text" && block.text === "")))
      return refuse("messages: text content blocks must be non-empty")
    if (body.thinking?.type === "enabled" && body.thinking.budget_tokens >= body.max_tokens) return refuse("max_tokens must be greater than thinking.budget_tokens")
    return undefined
  },
}

export function startAnthropic(options?: UpstreamOptions): Promise<Upstream> {
  return startProvider(speech, options)
}
