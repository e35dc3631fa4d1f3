import type { Caller, Host } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

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

/** Between two tellings of names, in ms: on a server each that goes to the other nodes by itself would cost a turn one statement more. */
const everyMs = 500

/** Tells users and admins what new sessions are called. */
export function createTitles(host: Host<typeof manifest>): (caller: Caller, sessionKey: string, label: string) => void {
  let waiting: { caller: Caller; sessionKey: string; label: string }[] = []
  function tellAll(): void {
    const told = waiting
    waiting = []
    for (const { caller, ...rest } of told) host.events.publish(caller, "session.updated", { ...rest, userId: caller.userId }, { userId: caller.userId })
  }
  return (caller, sessionKey, label) => {
    if (waiting.push({ caller, sessionKey, label }) === 1) setTimeout(tellAll, everyMs).unref()
  }
}
