import { type Delta, noUsage, type SseFrame, sealState, type Usage } from "@plugboard/sdk"
import { type Shape, stopReason, usageBody } from "./answer.ts"

type ToolDelta = Extract<Delta, { type: "tool" }>
interface Call {
  id: string
  name: string
  arguments: string
}

/** One answer as Anthropic's events. Blocks follow each other there: the first call under way streams, and others, whose fragments may alternate with it, wait for their turn. */
export async function* messageEvents({ id, model }: Shape, deltas: AsyncIterable<readonly Delta[]>): AsyncIterable<readonly SseFrame[]> {
  const blocks = new Blocks()
  let usage: Usage = noUsage
  let finish: Extract<Delta, { type: "finish" }>["reason"] = "stop"
  const message = { id, type: "message", role: "assistant", model, content: [], stop_reason: null, stop_sequence: null, usage: usageBody(noUsage) }
  let opening = [frame({ type: "message_start", message })]
  for await (const batch of deltas) {
    for (const delta of batch) {
      if (delta.type === "usage") usage = delta.usage
      else if (delta.type === "finish") finish = delta.reason
      else blocks.take(delta)
    }
    const frames = blocks.drain()
    // With the first piece and not before it: an answer that fails until then still has a status.
    if (frames.length === 0) continue
    yield [...opening, ...frames]
    opening = []
  }
  blocks.end()
  yield [
    ...opening,
    ...blocks.drain(),
    frame({ type: "message_delta", delta: { stop_reason: stopReason(finish), stop_sequence: null }, usage: usageBody(usage) }),
    frame({ type: "message_stop" }),
  ]
}

class Blocks {
  #frames: SseFrame[] = []
  #index = -1
  #open: "text" | "thinking" | "tool" | undefined
  /** Place of the call that streams. */
  #live: number | undefined
  readonly #waiting = new Map<number, Call>()

  take(delta: Exclude<Delta, { type: "usage" | "finish" }>): void {
    if (delta.type === "text") {
      this.#turnTo("text", { type: "text", text: "" })
      this.#say({ type: "text_delta", text: delta.text })
    } else if (delta.type === "thinking") {
      this.#turnTo("thinking", { type: "thinking", thinking: "", signature: "" })
      this.#say({ type: "thinking_delta", thinking: delta.text })
    } else if (delta.type === "tool") this.#call(delta)
    else if (this.#open === "thinking") {
      this.#say({ type: "signature_delta", signature: sealState(delta.state) })
      this.#close()
    } else this.#whole({ type: "redacted_thinking", data: sealState(delta.state) })
  }

  end(): void {
    this.#close()
    for (const { id, name, arguments: text } of this.#waiting.values()) this.#whole({ type: "tool_use", id, name, input: {} }, { type: "input_json_delta", partial_json: text })
    this.#waiting.clear()
  }

  drain(): SseFrame[] {
    const frames = this.#frames
    this.#frames = []
    return frames
  }

  #call({ index, id, name, arguments: text = "" }: ToolDelta): void {
    if (this.#live === undefined) {
      this.#live = index
      this.#turnTo("tool", { type: "tool_use", id: id || `toolu_${index}`, name: name ?? "", input: {} })
    }
    if (this.#live === index && this.#open === "tool") {
      if (text !== "") this.#say({ type: "input_json_delta", partial_json: text })
      return
    }
    const call = this.#waiting.get(index) ?? { id: id || `toolu_${index}`, name: name ?? "", arguments: "" }
    call.arguments += text
    this.#waiting.set(index, call)
  }

  #turnTo(kind: "text" | "thinking" | "tool", block: object): void {
    if (this.#open === kind) return
    if (this.#open === "tool") this.end()
    this.#close()
    this.#open = kind
    this.#index += 1
    this.#frames.push(frame({ type: "content_block_start", index: this.#index, content_block: block }))
  }

  #say(delta: object): void {
    this.#frames.push(frame({ type: "content_block_delta", index: this.#index, delta }))
  }

  #close(): void {
    if (this.#open) this.#frames.push(frame({ type: "content_block_stop", index: this.#index }))
    this.#open = undefined
  }

  #whole(block: object, delta?: object): void {
    this.#close()
    this.#index += 1
    this.#frames.push(frame({ type: "content_block_start", index: this.#index, content_block: block }))
    if (delta) this.#say(delta)
    this.#frames.push(frame({ type: "content_block_stop", index: this.#index }))
  }
}

function frame(data: { type: string; [member: string]: unknown }): SseFrame {
  return { event: data.type, data }
}
