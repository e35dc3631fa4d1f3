import type { Finish, Format, Spent } from "./format.ts"
import { type Speech, startProvider, type Upstream, type UpstreamOptions } from "./provider.ts"

// Gemini's generateContent, from the provider's side. Source: the public API reference, "Generating content" and "Function calling".

const finishReasons: Readonly<Record<Finish, string>> = { stop: "STOP", length: "MAX_TOKENS", tool_calls: "STOP" }
const statuses: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
}
export const thoughtSignature = "CiQBjz1rX0yY3Z8mS2b8xw=="

const event = (data: object) => `data: ${JSON.stringify(data)}\r\n\r\n`

function wireUsage({ prompt, completion, cached = 0, thinking = 0 }: Spent) {
  return {
    promptTokenCount: prompt + cached,
    candidatesTokenCount: completion,
    totalTokenCount: prompt + cached + completion + thinking,
    ...(cached > 0 && { cachedContentTokenCount: cached }),
    ...(thinking > 0 && { thoughtsTokenCount: thinking }),
  }
}

function answer(model: string, parts: readonly object[], more: object = {}, usage?: object) {
  const content = parts.length > 0 && { content: { role: "model", parts } }
  return { candidates: [{ ...content, index: 0, ...more }], ...(usage && { usageMetadata: usage }), modelVersion: model, responseId: "upstream" }
}

/** A call comes whole, in one part. */
function voice(model: string) {
  let pending: { index: number; id: string; name: string; text: string } | undefined
  const flush = (): string => {
    const call = pending
    pending = undefined
    if (!call) return ""
    const functionCall = { id: call.id, name: call.name, args: JSON.parse(call.text || "{}") }
    return event(answer(model, [{ functionCall, ...(call.index === 0 && { thoughtSignature }) }]))
  }
  return {
    say: (text: string) => flush() + event(answer(model, [{ text }])),
    think: (text: string) => flush() + event(answer(model, [{ text, thought: true }])),
    call(index: number, id: string, name: string) {
      const before = flush()
      pending = { index, id, name, text: "" }
      return before
    },
    args(_: number, fragment: string) {
      if (pending) pending.text += fragment
      return ""
    },
    end: (finish: Finish, spent: Spent) => flush() + event(answer(model, [{ text: "" }], { finishReason: finishReasons[finish] }, wireUsage(spent))),
  }
}

function failure(status: number, message: string, details: object[] = []): object {
  return { error: { code: status, message, status: statuses[status] ?? "UNKNOWN", details } }
}

export const geminiFormat: Format = {
  alternates: false,
  voice,
  whole: (model, { texts, thinking, finish, spent }) =>
    JSON.stringify(
      answer(model, [...(thinking === undefined ? [] : [{ text: thinking, thought: true }]), { text: texts.join("") }], { finishReason: finishReasons[finish] }, wireUsage(spent)),
    ),
  failure(status, message, why) {
    if (why === "context") return JSON.stringify(failure(400, "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576)."))
    return JSON.stringify(failure(status, message))
  },
  failureEvent: (status, message) => event(failure(status, message)),
  unknown: () => event({ xNew: [1], candidates: [{ index: 0, content: { role: "model", parts: [{ xNewPart: {} }] }, xNew: null }] }) + event({ usageMetadata: null }),
}

const speech: Speech = {
  format: geminiFormat,
  base: "/v1beta/openai",
  asked({ path }) {
    const [, model, action] = /^\/v1beta\/models\/([^:?]+):(\w+)/.exec(path) ?? []
    if (action === "generateContent") return { what: "chat", model: decodeURIComponent(model as string), streaming: false }
    if (action === "streamGenerateContent" && path.endsWith("?alt=sse")) return { what: "chat", model: decodeURIComponent(model as string), streaming: true }
    if (action === "batchEmbedContents") return { what: "embeddings" }
    return /^\/v1beta\/models(\?|$)/.test(path) ? { what: "models" } : undefined
  },
  keyIn: ({ headers }) => String(headers["x-goog-api-key"]),
  lastText: ({ body }) =>
    body.contents
      .findLast(({ role }: { role: string }) => role === "user")
      .parts.map(({ text = "" }: { text?: string }) => text)
      .join(""),
  models: ({ path }) =>
    JSON.stringify(
      path.includes("pageToken=next")
        ? { models: [{ name: "models/words-50", displayName: "Words", supportedGenerationMethods: ["generateContent"] }] }
        : {
            models: [
              { name: "models/gemini-2.0-flash", displayName: "Gemini 2.0 Flash", supportedGenerationMethods: ["generateContent", "countTokens"] },
              { name: "models/text-embedding-004", displayName: "Text embedding", supportedGenerationMethods: ["embedContent"] },
            ],
            nextPageToken: "next",
          },
    ),
  embeddings: ({ body }) =>
    JSON.stringify({
      embeddings: body.requests.map(({ content }: { content: { parts: { text: string }[] } }, index: number) => ({ values: [content.parts[0]?.text.length, index, 1] })),
    }),
  /** What the API answers with a 400. */
  refuses({ body }) {
    const refuse = (message: string) => ({ status: 400, body: JSON.stringify(failure(400, message)) })
    const [first] = body.contents
    if (first?.role !== "user") return refuse("Please ensure that the conversation begins with a user turn.")
    const parts = body.contents.flatMap((content: { parts: object[] }) => content.parts)
    if (parts.some((part: { functionResponse?: { name?: string } }) => part.functionResponse && !part.functionResponse.name))
      return refuse("GenerateContentRequest.contents.parts.function_response.name: Name cannot be empty.")
    return undefined
  },
  faults: {
    /** A wait that stands in the body, as Google tells it. */
    "limited-body": (reply, [seconds = 34]) =>
      reply.json(429, JSON.stringify(failure(429, "Quota exceeded.", [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${seconds}s` }]))),
    /** There is no error for it: the prompt is refused in an answer. */
    filtered: (reply) => reply.start(event({ promptFeedback: { blockReason: "PROHIBITED_CONTENT" }, usageMetadata: { promptTokenCount: 5 } })).end(),
    unsafe: (reply) => reply.start(voice("m").say("Half of ") + event(answer("m", [], { finishReason: "SAFETY" }, wireUsage({ prompt: 5, completion: 3 })))).end(),
  },
}

export function startGemini(options?: UpstreamOptions): Promise<Upstream> {
  return startProvider(speech, options)
}
