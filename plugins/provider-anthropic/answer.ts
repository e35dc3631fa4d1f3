import type { Message, MessageDeltaUsage, RawMessageStreamEvent, Usage as WireUsage } from "@anthropic-ai/sdk/resources/messages"
import type { AnswerReader, Complaint, Delta, Usage } from "@plugboard/sdk"
import { complaints } from "./complaints.ts"
import { stateOf } from "./thinking.ts"

type Block = Message["content"][number]

/** One answer of Anthropic's Messages, event by event or whole. Source: the public API reference, "Streaming messages". */
export class MessageReader implements AnswerReader {
  #usage: Partial<WireUsage> | undefined
  #characters = 0
  #calls = 0
  /** Place of each call among the calls, by the number of its block. */
  readonly #callOf = new Map<number, number>()
  #thinking: { text: string; signature: string } | undefined

  event(value: object, out: Delta[]): "end" | Complaint | undefined {
    const event = value as RawMessageStreamEvent | { type: "error" }
    switch (event.type) {
      case "message_start":
        this.#usage = event.message?.usage
        return undefined
      case "content_block_start":
        this.#begin(event.index, event.content_block, out)
        return undefined
      case "content_block_delta":
        this.#add(event.index, event.delta, out)
        return undefined
      case "content_block_stop":
        this.#endThinking(out)
        return undefined
      case "message_delta":
        this.#finish(event.delta?.stop_reason, event.usage, out)
        return undefined
      case "message_stop":
        return "end"
      case "error":
        return complaints.complaintIn(value) ?? { message: "an error in the stream" }
    }
    // `ping`, and what is still to come.
    return undefined
  }

  whole(value: object, out: Delta[]): Complaint | undefined {
    const { content, stop_reason: reason, usage } = value as Message
    if (!Array.isArray(content)) return complaints.complaintIn(value)
    for (const [index, block] of content.entries()) {
      this.#begin(index, block, out)
      this.#endThinking(out)
    }
    this.#finish(reason ?? "end_turn", usage, out)
    return undefined
  }

  /** In a stream a block begins empty; in a whole answer this is all of it. */
  #begin(index: number, block: Block, out: Delta[]): void {
    if (block.type === "text") this.#say(block.text, out)
    else if (block.type === "thinking") {
      this.#thinking = { text: block.thinking, signature: block.signature }
      if (block.thinking !== "") out.push({ type: "thinking", text: block.thinking })
    } else if (block.type === "redacted_thinking") out.push(this.#keep({ type: "redacted_thinking", data: block.data }))
    else if (block.type === "tool_use") {
      const input = Object.keys(block.input ?? {}).length > 0 ? JSON.stringify(block.input) : ""
      this.#callOf.set(index, this.#calls)
      out.push({ type: "tool", index: this.#calls, id: block.id, name: block.name, arguments: input })
      this.#calls += 1
    }
  }

  #add(index: number, delta: Extract<RawMessageStreamEvent, { type: "content_block_delta" }>["delta"], out: Delta[]): void {
    if (delta.type === "text_delta") this.#say(delta.text, out)
    else if (delta.type === "thinking_delta" && delta.thinking !== "") {
      if (this.#thinking) this.#thinking.text += delta.thinking
      out.push({ type: "thinking", text: delta.thinking })
    } else if (delta.type === "signature_delta" && this.#thinking) this.#thinking.signature += delta.signature
    else if (delta.type === "input_json_delta" && delta.partial_json !== "") {
      const call = this.#callOf.get(index)
      if (call !== undefined) out.push({ type: "tool", index: call, arguments: delta.partial_json })
    }
  }

  #say(text: string, out: Delta[]): void {
    if (text === "") return
    this.#characters += text.length
    out.push({ type: "text", text })
  }

  #endThinking(out: Delta[]): void {
    const thinking = this.#thinking
    this.#thinking = undefined
    // Unsigned, it cannot be given back.
    if (thinking && thinking.signature !== "") out.push(this.#keep({ type: "thinking", thinking: thinking.text, signature: thinking.signature }))
  }

  #keep(block: Parameters<typeof stateOf>[0]["block"]): Delta {
    return { type: "state", state: stateOf({ block, characters: this.#characters, calls: this.#calls }) }
  }

  /** Counts of the end replace those of the beginning where they are there. */
  #finish(reason: string | null | undefined, usage: Partial<MessageDeltaUsage> | undefined, out: Delta[]): void {
    const known = Object.fromEntries(Object.entries(usage ?? {}).filter(([, count]) => count !== null))
    out.push({ type: "usage", usage: usageOf({ ...this.#usage, ...known }) })
    if (reason) out.push({ type: "finish", reason: finishOf(reason) })
  }
}

/** The API counts what is read from the cache and written to it beside the input. */
function usageOf(usage: Partial<WireUsage>): Usage {
  const [cachedTokens, cacheWriteTokens] = [usage.cache_read_input_tokens ?? 0, usage.cache_creation_input_tokens ?? 0]
  return {
    promptTokens: (usage.input_tokens ?? 0) + cachedTokens + cacheWriteTokens,
    completionTokens: usage.output_tokens ?? 0,
    cachedTokens,
    cacheWriteTokens,
    reasoningTokens: usage.output_tokens_details?.thinking_tokens ?? 0,
  }
}

function finishOf(reason: string): Extract<Delta, { type: "finish" }>["reason"] {
  if (reason === "tool_use") return "tool_calls"
  if (reason === "max_tokens" || reason === "model_context_window_exceeded") return "length"
  return reason === "refusal" ? "content_filter" : "stop"
}
