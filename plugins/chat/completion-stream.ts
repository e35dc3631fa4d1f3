import type { SseFrame } from "@plugboard/sdk"
import { wireUsage } from "./completion-wire.ts"
import type { Outcomes } from "./outcome.ts"
import type { Run } from "./run.ts"

export interface Shape {
  id: string
  created: number
  model: string
}

export function completion({ id, created, model }: Shape, content: string, finish_reason: "stop" | "length" | "content_filter", usage?: ReturnType<typeof wireUsage>) {
  return {
    id,
    object: "chat.completion" as const,
    created,
    model,
    choices: [{ index: 0, message: { role: "assistant" as const, content }, finish_reason }],
    ...(usage && { usage }),
  }
}

/** One chunk for each delta of the model, in as few writes as the deltas came in. The parts that never change are made once. `begins` is called before the first of them. */
export async function* chunks(run: Run, shape: Shape, includeUsage: boolean, outcomes: Outcomes, begins: () => void): AsyncIterable<readonly SseFrame[]> {
  const head = JSON.stringify({ id: shape.id, object: "chat.completion.chunk", created: shape.created, model: shape.model }).slice(0, -1)
  const tail = includeUsage ? ',"usage":null}' : "}"
  const chunk = (delta: string, finish = "null"): SseFrame => ({ data: `${head},"choices":[{"index":0,"delta":${delta},"finish_reason":${finish}}]${tail}` })
  // With the first text and not before it: a run that fails until then can still answer with a status.
  let opening = [chunk('{"role":"assistant","content":""}')]
  let said = false
  let roundBegins = false
  for await (const batch of run.log.read()) {
    const frames: SseFrame[] = []
    for (const { type, payload } of batch) {
      if (type === "chunk") {
        // Text before and after tools is shown in one piece: a blank line keeps the rounds apart.
        const text = roundBegins && said ? `\n\n${payload?.content as string}` : (payload?.content as string)
        roundBegins = false
        said = true
        frames.push(chunk(`{"content":${JSON.stringify(text)}}`))
      } else if (type === "tool.result") roundBegins = true
    }
    if (frames.length === 0) continue
    if (opening.length > 0) begins()
    yield [...opening, ...frames]
    opening = []
  }
  const outcome = await run.done
  if (outcome.status !== "completed") throw outcomes.failureOf(outcome)
  if (opening.length > 0) begins()
  const last: SseFrame[] = [...opening, chunk("{}", JSON.stringify(outcome.finish))]
  if (includeUsage) last.push({ data: `${head},"choices":[],"usage":${JSON.stringify(wireUsage(outcome.usage))}}` })
  yield [...last, { data: "[DONE]" }]
}

export async function* storedChunks({ id, created, model }: Shape, content: string, usage: object | undefined): AsyncIterable<readonly SseFrame[]> {
  const chunk = (delta: object, finish_reason: string | null) => ({ data: { id, object: "chat.completion.chunk", created, model, choices: [{ index: 0, delta, finish_reason }] } })
  const last = usage ? [{ data: { id, object: "chat.completion.chunk", created, model, choices: [], usage } }] : []
  yield [chunk({ role: "assistant", content: "" }, null), chunk({ content }, null), chunk({}, "stop"), ...last, { data: "[DONE]" }]
}
