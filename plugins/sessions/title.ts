const mostWords = 15
const mostChars = 100

/** What a new session is called until somebody names it: the beginning of its first message. Source of the limits: wire contract, websocket 6.6. */
export function titleOf(message: string): string {
  // More would not count, and may be long.
  const words = message.slice(0, 1_000).split(/\s+/u).filter(Boolean).slice(0, mostWords)
  const title = words.join(" ")
  return title.length <= mostChars
    ? title
    : `${title
        .slice(0, mostChars - 1)
        .toWellFormed()
        .trimEnd()}…`
}
