import { type Caller, type Host, Sessions, type StoredMessage } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

const pageLength = 500
/** Of one summary. Older ones are not read: nothing grows with what a session has stored. */
const most = 5_000

/** A session's newest messages between two ordinals, oldest first. */
export async function storedBetween(host: Host<typeof manifest>, caller: Caller, sessionKey: string, after: number, before: number | null): Promise<StoredMessage[]> {
  const sessions = host.use(Sessions)
  const pages: StoredMessage[][] = []
  let oldest = before
  for (let count = 0; count < most; ) {
    const page = await sessions.between(caller, sessionKey, after, oldest, pageLength)
    const [first] = page
    if (!first) break
    pages.unshift(page)
    count += page.length
    oldest = first.ordinal
  }
  return pages.flat()
}
