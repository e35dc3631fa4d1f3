/** Tokens of an answer, each sort by itself: `prompt` without the cached ones and those written to the cache, `completion` without those of the thinking. */
export interface Spent {
  prompt: number
  completion: number
  cached?: number
  written?: number
  thinking?: number
}

export interface Said {
  texts: readonly string[]
  thinking?: string
  finish: Finish
  spent: Spent
}
export type Finish = "stop" | "length" | "tool_calls"

/** One stream as a provider speaks it: each method answers whole events, or nothing when the format waits for more. */
export interface Voice {
  say(text: string): string
  think(text: string): string
  call(index: number, id: string, name: string): string
  args(index: number, fragment: string): string
  end(finish: Finish, spent: Spent): string
}

/** A provider's wire format, from the provider's side. */
export interface Format {
  voice(model: string): Voice
  whole(model: string, said: Said): string
  /** The body of a call that failed. */
  failure(status: number, message: string, why?: "context" | "filter"): string
  /** A failure in mid-stream. */
  failureEvent(status: number, message: string): string
  /** Events that carry members and kinds that nobody knows. */
  unknown(): string
  /** True when fragments of several calls may alternate. */
  alternates: boolean
}

/** `word0 word1 …`: one token a word. */
export function words(count: number): string[] {
  return Array.from({ length: count }, (_, index) => (index === 0 ? "word0" : ` word${index}`))
}

/** A whole stream. */
export function spoken(voice: Voice, { texts, thinking, finish, spent }: Said): string {
  return [thinking === undefined ? "" : voice.think(thinking), ...texts.map((text) => voice.say(text)), voice.end(finish, spent)].join("")
}
