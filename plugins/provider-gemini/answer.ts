import { randomBytes } from "node:crypto"
import type { GenerateContentResponseUsageMetadata, Part } from "@google/genai/web"
import type { AnswerReader, Complaint, Delta, Usage } from "@plugboard/sdk"
import { complaints } from "./complaints.ts"
import { stateOf } from "./thinking.ts"

interface WireAnswer {
  candidates?: { content?: { parts?: Part[] } | null; finishReason?: string | null }[]
  promptFeedback?: { blockReason?: string; blockReasonMessage?: string } | null
  usageMetadata?: GenerateContentResponseUsageMetadata | null
  error?: object | null
}

const lengths: ReadonlySet<string> = new Set(["MAX_TOKENS"])
/** The provider keeps the rest to itself. */
const filtered: ReadonlySet<string> = new Set([
  "SAFETY",
  "RECITATION",
  "BLOCKLIST",
  "PROHIBITED_CONTENT",
  "SPII",
  "LANGUAGE",
  "IMAGE_SAFETY",
  "IMAGE_PROHIBITED_CONTENT",
  "IMAGE_RECITATION",
])
/** The model said what no client can use. */
const broken: ReadonlySet<string> = new Set(["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"])

/** One answer of generateContent: each event of a stream is one of the shape that a whole answer has. Source: the public API reference, "GenerateContentResponse". */
export class ContentReader implements AnswerReader {
  #characters = 0
  #calls = 0

  event(value: object, out: Delta[]): Complaint | undefined {
    const { candidates, promptFeedback, usageMetadata, error } = value as WireAnswer
    if (error || Array.isArray(value)) return complaints.complaintIn(value)
    if (usageMetadata) out.push({ type: "usage", usage: usageOf(usageMetadata) })
    if (promptFeedback?.blockReason) return { code: "BLOCKED", message: promptFeedback.blockReasonMessage ?? `the prompt is blocked: ${promptFeedback.blockReason}` }
    const candidate = candidates?.[0]
    for (const part of candidate?.content?.parts ?? []) this.#read(part, out)
    const reason = candidate?.finishReason
    if (!reason) return undefined
    if (broken.has(reason)) return { code: "MALFORMED", message: `it ended the answer: ${reason}` }
    out.push({ type: "finish", reason: filtered.has(reason) ? "content_filter" : lengths.has(reason) ? "length" : this.#calls > 0 ? "tool_calls" : "stop" })
    return undefined
  }

  whole(value: object, out: Delta[]): Complaint | undefined {
    return this.event(value, out)
  }

  #read({ text, thought, functionCall, thoughtSignature: signature }: Part, out: Delta[]): void {
    if (text && thought) out.push({ type: "thinking", text })
    else if (text) {
      this.#characters += text.length
      out.push({ type: "text", text })
    }
    if (functionCall) {
      const { id = `call_${randomBytes(8).toString("hex")}`, name = "", args = {} } = functionCall
      if (signature) out.push({ type: "state", state: stateOf({ signature, call: this.#calls }) })
      out.push({ type: "tool", index: this.#calls, id, name, arguments: JSON.stringify(args) })
      this.#calls += 1
    } else if (signature && !thought) out.push({ type: "state", state: stateOf({ signature, characters: this.#characters }) })
  }
}

/** The API counts the thoughts beside the candidates, and what tools gave beside the prompt. */
function usageOf(usage: GenerateContentResponseUsageMetadata): Usage {
  const reasoningTokens = usage.thoughtsTokenCount ?? 0
  return {
    promptTokens: (usage.promptTokenCount ?? 0) + (usage.toolUsePromptTokenCount ?? 0),
    completionTokens: (usage.candidatesTokenCount ?? 0) + reasoningTokens,
    cachedTokens: usage.cachedContentTokenCount ?? 0,
    cacheWriteTokens: 0,
    reasoningTokens,
  }
}
