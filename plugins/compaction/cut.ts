import { bytesOf, type PlacedMessage } from "@plugboard/sdk"

/**
 * Where the kept end of a conversation begins: as far back as `keepBytes` and `keepMessages` allow, at a user's message where there is one within them. Never between a call of tools and its results;
 * the last turn of the model is kept whatever its size.
 */
export function cutAt(messages: readonly PlacedMessage[], keepBytes: number, keepMessages: number): number {
  let bytes = 0
  let any = messages.length
  let users: number | undefined
  for (let at = messages.length - 1; at >= 0; at -= 1) {
    const { message } = messages[at] as PlacedMessage
    bytes += bytesOf(message)
    if (any < messages.length && (bytes > keepBytes || messages.length - at > keepMessages)) break
    // A result stands behind its call, which is kept with it.
    if (message.role === "tool") continue
    any = at
    if (message.role === "user") users = at
  }
  return users ?? any
}

/** What is kept from `cut` on, behind the message that the run is about when that is older: whoever works on it needs its words. */
export function keptFrom(messages: readonly PlacedMessage[], cut: number): PlacedMessage[] {
  const kept = messages.slice(cut)
  if (kept[0]?.message.role === "user") return kept
  const asked = messages.findLast(({ message }, at) => at < cut && message.role === "user")
  return asked ? [asked, ...kept] : kept
}

/** The same conversation within `mostBytes`, if shorter results of tools can bring it there: those that are longer than the next bound lose their middles. */
export function shortened(messages: readonly PlacedMessage[], mostBytes: number): readonly PlacedMessage[] {
  let fitting = messages
  for (const most of [20_000, 8_000, 3_000, 1_000]) {
    if (fitting.reduce((sum, { message }) => sum + bytesOf(message), 0) <= mostBytes) break
    fitting = messages.map((placed) => {
      const { message, ordinal } = placed
      return message.role === "tool" && typeof message.content === "string" && message.content.length > most
        ? { ordinal, message: { ...message, content: clipped(message.content, most) } }
        : placed
    })
  }
  return fitting
}

/** Beginning and end of a text. */
export function clipped(text: string, most: number): string {
  if (text.length <= most) return text
  const left = text.length - most
  return `${text.slice(0, Math.ceil(most * 0.7)).toWellFormed()}\n[… ${left} characters left out …]\n${text.slice(-Math.floor(most * 0.3)).toWellFormed()}`
}
