import type { Delta, ModelMessage, Usage } from "@plugboard/sdk"
import { callBody } from "./body-changes.ts"

// OpenAI's chat completions, written for answers that came in another format. Source: the public API reference, "The chat completion object" and "The chat completion chunk object".

export interface Shape {
  id: string
  created: number
  model: string
}

export function completionBytes(shape: Shape, message: ModelMessage, finish: string, usage: Usage): Uint8Array {
  const choice = { index: 0, message: messageBody(message), logprobs: null, finish_reason: finish }
  const { id, created, model } = shape
  return Buffer.from(JSON.stringify({ id, object: "chat.completion", created, model, choices: [choice], usage: usageBody(usage) }))
}

export function messageBody({ content, thinking, toolCalls }: ModelMessage): Record<string, unknown> {
  return {
    role: "assistant",
    content: content === "" && toolCalls?.length ? null : content,
    ...(thinking !== undefined && { reasoning_content: thinking }),
    ...(toolCalls?.length && { tool_calls: toolCalls.map(callBody) }),
  }
}

function usageBody(usage: Usage): object {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    ...(usage.cachedTokens > 0 && { prompt_tokens_details: { cached_tokens: usage.cachedTokens } }),
    ...(usage.reasoningTokens > 0 && { completion_tokens_details: { reasoning_tokens: usage.reasoningTokens } }),
  }
}

/** Writes chunks; the parts that never change are made once. */
export class ChunkWriter {
  readonly #head: string
  readonly #tail: string
  /** Choices that have said something: their role is told. */
  readonly #begun = new Set<number>()

  /** `more`: further members that each chunk has. */
  constructor({ id, created, model }: Shape, tellsUsage: boolean, more: object = {}) {
    this.#head = JSON.stringify({ id, object: "chat.completion.chunk", created, model, ...more }).slice(0, -1)
    this.#tail = tellsUsage ? ',"usage":null}' : "}"
  }

  /** Its beginning is out already, in somebody else's words. */
  goOn(choice: number): void {
    this.#begun.add(choice)
  }

  deltas(batch: readonly Delta[], choice = 0): string {
    let text = ""
    for (const delta of batch) {
      if (delta.type === "text") text += this.#chunk(choice, { content: delta.text })
      else if (delta.type === "thinking") text += this.#chunk(choice, { reasoning_content: delta.text })
      else if (delta.type === "tool") text += this.#chunk(choice, { tool_calls: [toolBody(delta)] })
    }
    return text
  }

  finish(reason: string, choice = 0): string {
    return this.#chunk(choice, {}, reason)
  }

  /** With the usage, where the client asks for it. */
  end(usage: Usage | undefined): string {
    const last = usage ? `data: ${this.#head},"choices":[],"usage":${JSON.stringify(usageBody(usage))}}\n\n` : ""
    return `${last}data: [DONE]\n\n`
  }

  #chunk(index: number, delta: object, finish: string | null = null): string {
    const said = this.#begun.has(index) ? delta : { role: "assistant", ...delta }
    this.#begun.add(index)
    return `data: ${this.#head},"choices":[{"index":${index},"delta":${JSON.stringify(said)},"finish_reason":${JSON.stringify(finish)}}]${this.#tail}\n\n`
  }
}

function toolBody({ index, id, name, arguments: args = "" }: Extract<Delta, { type: "tool" }>): object {
  return { index, ...(id !== undefined && { id, type: "function" }), function: { ...(name !== undefined && { name }), arguments: args } }
}
