import type { Delta, LlmRequest, ModelMessage, Usage } from "@plugboard/sdk"

/** What one answer consists of: pieces in order, with a pause before each when the script asks for one. */
export interface Script {
  pieces: Delta[]
  pauseMs: number
  finish: "stop" | "tool_calls"
  /** Name of the failure that comes after the pieces. */
  fails?: (typeof failures)[keyof typeof failures]
}

const failures = {
  auth: "provider_auth",
  rate: "provider_rate_limited",
  overloaded: "provider_overloaded",
  network: "provider_network",
  context: "provider_context_length",
} as const

const introduction = "This is Plugboard's offline loopback provider; no model was asked."

/** The answer to a request. It depends on the last message and nothing else; the commands are listed in the README. */
export function scriptFor(request: LlmRequest): Script {
  const last = request.messages.at(-1)
  if (last?.role === "tool") return say(`${introduction} The tool answered: ${textOf(last)}`)
  const asked = [...request.messages].reverse().find((message) => message.role === "user")
  const text = asked ? textOf(asked).trim() : ""
  const [, command, rest = ""] = /^\/(\w+)\s*([\s\S]*)$/.exec(text) ?? []
  switch (command) {
    case "say":
      return say(rest)
    case "think": {
      const said = say("I have thought about it.")
      return { ...said, pieces: [...words(rest).map((word): Delta => ({ type: "thinking", text: word })), ...said.pieces] }
    }
    case "long":
      return say(counted(rest, 100_000))
    case "slow": {
      const [count = "", pause = ""] = rest.split(/\s+/)
      return { ...say(counted(count, 10_000)), pauseMs: bounded(pause, 10_000) }
    }
    case "fail":
      return failing(rest)
    case "tool":
      return calling(rest, request)
    default:
      return say(`${introduction} You said: ${text}`)
  }
}

/** Four characters a token: an estimate, but the same one every time. */
export function usageOf(request: LlmRequest, pieces: readonly Delta[]): Usage {
  const tokens = (characters: number) => Math.ceil(characters / 4)
  const size = (type: "text" | "thinking") => pieces.reduce((sum, piece) => sum + (piece.type === type ? piece.text.length : 0), 0)
  const calls = pieces.reduce((sum, piece) => sum + (piece.type === "tool" ? (piece.arguments ?? "").length : 0), 0)
  return {
    promptTokens: tokens(request.messages.reduce((sum, message) => sum + textOf(message).length, 0)),
    completionTokens: tokens(size("text") + size("thinking") + calls),
    cachedTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: tokens(size("thinking")),
  }
}

function say(text: string): Script {
  return { pieces: words(text).map((word): Delta => ({ type: "text", text: word })), pauseMs: 0, finish: "stop" }
}

/** `/fail KIND` at once, `/fail KIND N` after N words. */
function failing(rest: string): Script {
  const [kind = "", after = "0"] = rest.split(/\s+/)
  return { ...say(counted(after, 1_000)), fails: kind in failures ? failures[kind as keyof typeof failures] : failures.overloaded }
}

/** `/tool NAME {"json": …}`: says so, then calls it, when the tool is on offer. */
function calling(rest: string, request: LlmRequest): Script {
  const [, name = "", given = ""] = /^(\S+)\s*([\s\S]*)$/.exec(rest) ?? []
  if (!request.tools?.some((tool) => tool.name === name)) return say(`${introduction} There is no tool ${name} on offer.`)
  const fragments = (given || "{}").match(/[\s\S]{1,8}/g) ?? ["{}"]
  const call = fragments.map((fragment, at): Delta => ({ type: "tool", index: 0, ...(at === 0 && { id: "call_1", name }), arguments: fragment }))
  return { pieces: [...say("Let me look.").pieces, ...call], pauseMs: 0, finish: "tool_calls" }
}

/** `word0 word1 …` */
function counted(text: string, most: number): string {
  return Array.from({ length: bounded(text, most) }, (_, index) => `word${index}`).join(" ")
}

function words(text: string): string[] {
  return text.match(/\s*\S+\s*$|\s*\S+/g) ?? []
}

function bounded(text: string, most: number): number {
  const count = Math.trunc(Number(text))
  return count > 0 ? Math.min(count, most) : 0
}

function textOf(message: ModelMessage): string {
  if (typeof message.content === "string") return message.content
  return message.content.map((part) => (part.type === "text" ? part.text : "")).join("")
}
