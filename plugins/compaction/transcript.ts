import type { ModelMessage, StoredMessage } from "@plugboard/sdk"
import { clipped } from "./cut.ts"

/** Of one message; results of tools are long, and little of them matters later. */
const saidChars = 8_000
const resultChars = 2_000
const argumentChars = 500
const speakers = { system: "System", user: "User", assistant: "Assistant", tool: "Tool result" } as const

type Said = Pick<ModelMessage, "role" | "content" | "toolCalls" | "isError">

/** Messages in words, for a model that is to summarize them. */
export function inWords({ role, content, toolCalls, isError }: Said): string {
  const text = typeof content === "string" ? content : content.map((part) => (part.type === "text" ? part.text : "[image]")).join("\n")
  const lines = text.trim() === "" ? [] : [`${speakers[role]}${isError ? " (error)" : ""}: ${clipped(text.trim(), role === "tool" ? resultChars : saidChars)}`]
  for (const call of toolCalls ?? []) lines.push(`Assistant calls ${call.name}: ${clipped(JSON.stringify(call.arguments), argumentChars)}`)
  return lines.join("\n")
}

export function asSaid({ role, content, parts, toolCalls, isError }: StoredMessage): Said {
  return { role, content: parts ?? content, ...(toolCalls && { toolCalls }), ...(isError && { isError }) }
}

/** Texts put together up to `mostBytes` each, in order; the newest `most` of those. */
export function portions(texts: readonly string[], mostBytes: number, most: number): string[] {
  const whole: string[] = []
  let bytes = 0
  for (const text of texts) {
    const size = Buffer.byteLength(text) + 2
    if (whole.length === 0 || bytes + size > mostBytes) {
      whole.push(text)
      bytes = size
    } else {
      whole[whole.length - 1] += `\n\n${text}`
      bytes += size
    }
  }
  if (whole.length <= most) return whole
  const shown = whole.slice(-most)
  return [`[The oldest messages are left out here.]\n\n${shown[0]}`, ...shown.slice(1)]
}
