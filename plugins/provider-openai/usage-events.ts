import { type Delta, parseObject } from "@plugboard/sdk"
import { readAnswer, type WireAnswer } from "./wire.ts"

export type UsageDelta = Extract<Delta, { type: "usage" }>

/** A quote within a JSON text has a backslash before it: this is a member, and never something that a model says. */
const marks = ['"usage":{', '"usage": {']
const blankLines = ["\n\n", "\n\r\n"]

/**
 * The usage that whole events of a stream tell, reading those alone. `rest`: the block without the event that tells nothing else, where the client has not asked for it
 * (`drop`): many read `choices[0]` of each chunk, and that one has none.
 */
export function usageIn(block: Buffer, drop: boolean): { usage: UsageDelta | undefined; rest: Buffer } {
  let usage: UsageDelta | undefined
  const kept: Buffer[] = []
  let from = 0
  for (const mark of marks) {
    for (let at = block.indexOf(mark); at >= 0; ) {
      const { start, end } = eventAround(block, at)
      const answer = parseObject(dataOf(block.subarray(start, end).toString())) as WireAnswer | undefined
      if (answer) usage = usageOf(answer) ?? usage
      if (drop && answer?.choices?.length === 0) {
        kept.push(block.subarray(from, start))
        from = end
      }
      at = block.indexOf(mark, end)
    }
  }
  return { usage, rest: from === 0 ? block : Buffer.concat([...kept, block.subarray(from)]) }
}

export function usageOf(answer: WireAnswer): UsageDelta | undefined {
  const deltas: Delta[] = []
  readAnswer({ usage: answer.usage, x_groq: answer.x_groq }, deltas)
  return deltas.find((delta) => delta.type === "usage")
}

/** From behind the blank line before it to behind the one after it. */
function eventAround(block: Buffer, at: number): { start: number; end: number } {
  const starts = blankLines.flatMap((line) => [block.lastIndexOf(line, at)].filter((index) => index >= 0).map((index) => index + line.length))
  const ends = blankLines.flatMap((line) => [block.indexOf(line, at)].filter((index) => index >= 0).map((index) => index + line.length))
  return { start: Math.max(0, ...starts), end: Math.min(block.length, ...ends) }
}

function dataOf(event: string): string {
  return event
    .split(/\r?\n/)
    .flatMap((line) => (line.startsWith("data:") ? [line.slice(5)] : []))
    .join("\n")
}
