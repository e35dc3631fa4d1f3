import type { Delta, ModelMessage, ProviderState, ToolCall, Usage } from "../points/provider.ts"

/** Puts the pieces of one answer together. */
export class AnswerBuilder {
  text = ""
  thinking = ""
  usage: Usage | undefined
  finish: Extract<Delta, { type: "finish" }>["reason"] = "stop"
  readonly #state: ProviderState[] = []
  readonly #calls: { id: string; name: string; arguments: string }[] = []

  /** Characters of all that was said. */
  get size(): number {
    return this.text.length + this.thinking.length + this.#calls.reduce((sum, call) => sum + call.arguments.length, 0)
  }

  take(batch: readonly Delta[]): void {
    for (const delta of batch) {
      if (delta.type === "text") this.text += delta.text
      else if (delta.type === "thinking") this.thinking += delta.text
      else if (delta.type === "state") this.#state.push(delta.state)
      else if (delta.type === "usage") this.usage = delta.usage
      else if (delta.type === "finish") this.finish = delta.reason
      else {
        const call = this.#calls[delta.index] ?? { id: "", name: "", arguments: "" }
        this.#calls[delta.index] = call
        call.id ||= delta.id ?? ""
        call.name ||= delta.name ?? ""
        call.arguments += delta.arguments ?? ""
      }
    }
  }

  message(): ModelMessage {
    const calls = this.#calls.filter(Boolean).map(parsed)
    return {
      role: "assistant",
      content: this.text,
      ...(this.thinking !== "" && { thinking: this.thinking }),
      ...(this.#state.length > 0 && { state: this.#state }),
      ...(calls.length > 0 && { toolCalls: calls }),
    }
  }
}

function parsed({ id, name, arguments: text }: { id: string; name: string; arguments: string }, at: number): ToolCall {
  const call = { id: id || `call_${at}`, name }
  try {
    const value: unknown = JSON.parse(text || "{}")
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...call, arguments: value as Record<string, unknown> }
    return { ...call, arguments: {}, parseError: "the arguments are not an object" }
  } catch (error) {
    return { ...call, arguments: {}, parseError: (error as Error).message.slice(0, 200) }
  }
}
