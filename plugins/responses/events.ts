import { randomUUID } from "node:crypto"
import { AnswerBuilder, type Delta, type ProviderState, type SseFrame, sealState } from "@plugboard/sdk"
import { type OutputItem, responseBody, type Shape } from "./answer.ts"

type Event = { type: string } & Record<string, unknown>
interface Open {
  at: number
  item: OutputItem
  text: string
}

/** An answer item by item, as deltas come; the items are the answer when it is whole. Source: OpenAI's public API reference, "Streaming events". */
export class Output {
  readonly items: OutputItem[] = []
  readonly built = new AnswerBuilder()
  #text: Open | undefined
  #thinking: Open | undefined
  readonly #calls = new Map<number, Open>()

  take(batch: readonly Delta[]): Event[] {
    this.built.take(batch)
    return batch.flatMap((delta) => {
      if (delta.type === "text") return this.#say(delta.text)
      if (delta.type === "thinking") return this.#think(delta.text)
      if (delta.type === "state") return this.#seal(delta.state)
      return delta.type === "tool" ? this.#call(delta) : []
    })
  }

  /** Closes what is open. */
  end(): Event[] {
    const calls = [...this.#calls.values()]
    this.#calls.clear()
    return [...this.#endThinking(), ...this.#endText(), ...calls.flatMap((call) => this.#endCall(call))]
  }

  #say(text: string): Event[] {
    const before = this.#endThinking()
    let opening: Event[] = []
    if (!this.#text) {
      this.#text = this.#add({ type: "message", id: idOf("msg"), status: "in_progress", role: "assistant", content: [] })
      opening = [added(this.#text), { type: "response.content_part.added", ...placeOf(this.#text), content_index: 0, part: textPart("") }]
    }
    this.#text.text += text
    return [...before, ...opening, { type: "response.output_text.delta", ...placeOf(this.#text), content_index: 0, delta: text, logprobs: [] }]
  }

  #think(text: string): Event[] {
    let opening: Event[] = []
    if (!this.#thinking) {
      this.#thinking = this.#add({ type: "reasoning", id: idOf("rs"), summary: [] })
      opening = [added(this.#thinking), { type: "response.reasoning_summary_part.added", ...placeOf(this.#thinking), summary_index: 0, part: summaryPart("") }]
    }
    this.#thinking.text += text
    return [...opening, { type: "response.reasoning_summary_text.delta", ...placeOf(this.#thinking), summary_index: 0, delta: text }]
  }

  /** What the provider wants back goes with its thinking, and ends it; what it hides all of is an item with nothing else. */
  #seal(state: ProviderState): Event[] {
    const sealed = { encrypted_content: sealState(state) }
    if (this.#thinking) {
      Object.assign(this.#thinking.item, sealed)
      return this.#endThinking()
    }
    const hidden = this.#add({ type: "reasoning", id: idOf("rs"), summary: [], ...sealed })
    return [added(hidden), done(hidden)]
  }

  #call({ index, id, name, arguments: text = "" }: Extract<Delta, { type: "tool" }>): Event[] {
    const before = [...this.#endThinking(), ...this.#endText()]
    let call = this.#calls.get(index)
    if (!call) {
      call = this.#add({ type: "function_call", id: idOf("fc"), call_id: id || `call_${index}`, name: name ?? "", arguments: "", status: "in_progress" })
      this.#calls.set(index, call)
      before.push(added(call))
    }
    call.text += text
    return text === "" ? before : [...before, { type: "response.function_call_arguments.delta", ...placeOf(call), delta: text }]
  }

  #endText(): Event[] {
    const open = this.#text
    this.#text = undefined
    if (!open) return []
    const part = textPart(open.text)
    Object.assign(open.item, { status: "completed", content: [part] })
    const place = { ...placeOf(open), content_index: 0 }
    return [{ type: "response.output_text.done", ...place, text: open.text, logprobs: [] }, { type: "response.content_part.done", ...place, part }, done(open)]
  }

  #endThinking(): Event[] {
    const open = this.#thinking
    this.#thinking = undefined
    if (!open) return []
    const part = summaryPart(open.text)
    Object.assign(open.item, { summary: [part] })
    const place = { ...placeOf(open), summary_index: 0 }
    return [{ type: "response.reasoning_summary_text.done", ...place, text: open.text }, { type: "response.reasoning_summary_part.done", ...place, part }, done(open)]
  }

  #endCall(open: Open): Event[] {
    Object.assign(open.item, { status: "completed", arguments: open.text || "{}" })
    return [{ type: "response.function_call_arguments.done", ...placeOf(open), name: open.item.name, arguments: open.item.arguments }, done(open)]
  }

  #add(item: OutputItem): Open {
    return { at: this.items.push(item) - 1, item, text: "" }
  }
}

/** `finished` is called with the whole answer before the last event is out. */
export async function* responseEvents(shape: Shape, deltas: AsyncIterable<readonly Delta[]>, finished: (output: Output) => Promise<void>): AsyncIterable<readonly SseFrame[]> {
  let number = 0
  const framed = (events: readonly Event[]) => events.map((event): SseFrame => ({ event: event.type, data: { ...event, sequence_number: number++ } }))
  const output = new Output()
  const begun = () => responseBody(shape, [])
  let opening = framed([
    { type: "response.created", response: begun() },
    { type: "response.in_progress", response: begun() },
  ])
  for await (const batch of deltas) {
    const frames = framed(output.take(batch))
    // With the first piece and not before it: an answer that fails until then still has a status.
    if (frames.length === 0) continue
    yield [...opening, ...frames]
    opening = []
  }
  const closing = framed(output.end())
  await finished(output)
  const response = responseBody(shape, output.items, output.built)
  yield [...opening, ...closing, ...framed([{ type: `response.${response.status}`, response }])]
}

function idOf(kind: string): string {
  return `${kind}_${randomUUID().replaceAll("-", "")}`
}
function placeOf({ at, item }: Open) {
  return { item_id: item.id, output_index: at }
}
/** As it is now: it changes until it is done. */
function added({ at, item }: Open): Event {
  return { type: "response.output_item.added", output_index: at, item: { ...item } }
}
function done({ at, item }: Open): Event {
  return { type: "response.output_item.done", output_index: at, item: { ...item } }
}
function textPart(text: string) {
  return { type: "output_text", text, annotations: [], logprobs: [] }
}
function summaryPart(text: string) {
  return { type: "summary_text", text }
}
