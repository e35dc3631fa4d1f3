import { chunk, completion, event, usageChunk } from "./bytes.ts"
import type { Format, Said, Spent } from "./format.ts"
import { openAiFormat, openAiSpeech, wireUsage } from "./openai.ts"
import { type Speech, startProvider, type Upstream, type UpstreamOptions } from "./provider.ts"
import type { Received } from "./server.ts"

// How OpenAI's kin depart from its format, from the provider's side. Source: each one's public API reference.

type WireMessage = { role: string; content?: unknown; tool_calls?: { id: string }[]; tool_call_id?: string; reasoning_content?: string }

const speechOf = (base: string, format: Partial<Format>, refuses?: (received: Received) => string | undefined): Speech => {
  const whole: Format = { ...openAiFormat, ...format }
  return {
    ...openAiSpeech,
    format: whole,
    base,
    asked(received) {
      const path = received.path.startsWith(base) ? `/v1${received.path.slice(base.length)}` : received.path
      return openAiSpeech.asked({ ...received, path })
    },
    refuses(received) {
      const why = refuses?.(received)
      return why === undefined ? undefined : { status: 400, body: whole.failure(400, why) }
    },
  }
}

/** Usage of a stream under `x_groq`, and none where OpenAI has it; thinking under `reasoning`. */
const groq = speechOf("/openai/v1", {
  voice: (model) => ({
    ...openAiFormat.voice(model),
    think: (text) => event(chunk(model, { reasoning: text })),
    end: (finish, spent) =>
      event(JSON.stringify({ ...JSON.parse(chunk(model, {}, finish)), usage: undefined, x_groq: { id: "req_upstream", usage: wireUsage(spent) } })) + event("[DONE]"),
  }),
})

/** Cached tokens in members of its own; calls that came of thinking must come back with it. */
const deepseek = speechOf(
  "/v1",
  {
    voice: (model) => ({ ...openAiFormat.voice(model), end: (finish, spent) => [chunk(model, {}, finish), usageChunk(model, hits(spent) as never), "[DONE]"].map(event).join("") }),
    whole: (model, said) => completion(model, messageOf(said), said.finish, hits(said.spent) as never),
  },
  ({ body }) =>
    (body.messages as WireMessage[]).some((message) => message.tool_calls && message.reasoning_content === undefined)
      ? "The reasoning_content in the thinking mode must be passed back to the API."
      : undefined,
)

function hits(spent: Spent) {
  const { prompt_tokens_details: _, ...usage } = wireUsage(spent)
  return { ...usage, prompt_cache_hit_tokens: spent.cached ?? 0, prompt_cache_miss_tokens: spent.prompt }
}

const mistralFields = new Set(["model", "messages", "tools", "max_tokens", "temperature", "response_format", "reasoning_effort", "stream"])

/** Answers of thinking models in parts; unknown members and ids of calls that are not nine letters and digits are refused; errors are no object under `error`. */
const mistral = speechOf(
  "/v1",
  {
    voice: (model) => ({
      ...openAiFormat.voice(model),
      say: (text) => event(chunk(model, { content: text.includes("Yes") ? [{ type: "text", text }] : text })),
      think: (text) => event(chunk(model, { content: [{ type: "thinking", thinking: [{ type: "text", text }] }] })),
      end: (finish, spent) => event(JSON.stringify({ ...JSON.parse(chunk(model, {}, finish)), usage: wireUsage(spent) })) + event("[DONE]"),
    }),
    failure: (status, message, why) =>
      why === "context" || why === "filter"
        ? openAiFormat.failure(status, message, why)
        : JSON.stringify({ object: "error", message, type: `${status}`, param: null, code: status === 401 ? "1700" : null }),
  },
  ({ body }) => {
    const foreign = Object.keys(body).find((name) => !mistralFields.has(name))
    if (foreign) return `Extra inputs are not permitted: ${foreign}`
    const ids = (body.messages as WireMessage[]).flatMap((message) => [...(message.tool_calls ?? []).map(({ id }) => id), ...(message.tool_call_id ? [message.tool_call_id] : [])])
    return ids.every((id) => /^[a-zA-Z0-9]{9}$/.test(id)) ? undefined : "Tool call id must be a-z, A-Z, 0-9, with a length of 9."
  },
)

/** Tokens of the thinking beside those of the completion; errors are texts. */
const xai = speechOf("/v1", {
  voice: (model) => ({ ...openAiFormat.voice(model), end: (finish, spent) => [chunk(model, {}, finish), usageChunk(model, beside(spent)), "[DONE]"].map(event).join("") }),
  failure: (status, message, why) => {
    const text = why === undefined ? message : (JSON.parse(openAiFormat.failure(status, message, why)) as { error: { message: string } }).error.message
    return JSON.stringify({ code: why === "filter" ? "content_filter" : "Client specified an invalid argument", error: text })
  },
})

function beside(spent: Spent) {
  const usage = wireUsage(spent)
  return { ...usage, completion_tokens: spent.completion }
}

/** Takes images as data only; needs no key. */
const ollama = speechOf("/v1", {}, ({ body }) => (JSON.stringify(body.messages).includes('"url":"http') ? "invalid image input" : undefined))

function messageOf({ texts, thinking }: Said) {
  return { content: texts.join(""), ...(thinking !== undefined && { reasoning_content: thinking }) }
}

const speeches = { groq, deepseek, mistral, xai, ollama }

export function startKin(kin: keyof typeof speeches, options?: UpstreamOptions): Promise<Upstream> {
  return startProvider(speeches[kin], options)
}
