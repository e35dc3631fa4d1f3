import { randomUUIDv7 } from "node:crypto"
import type { Caller, Delta, Host, KeptAnswer, Tap } from "@plugboard/sdk"
import { evict, keepEntry, sizeOf } from "./entries.ts"
import type { manifest } from "./manifest.ts"
import type { Keeping } from "./recall.ts"

/** How long this node goes by its own count of what a tenant has; others write too. */
const countedMs = 60_000

/** Keeps an answer within the tenant's bounds, unless it is one that should not be given again. */
export function keepAnswer(host: Host<typeof manifest>): Tap<"llm.called"> {
  const sizes = new Map<string, { entries: number; bytes: number; until: number }>()

  async function makeRoom(caller: Caller, bytes: number): Promise<void> {
    const { maxEntries, maxBytes } = host.config
    const db = host.db.for(caller)
    const known = sizes.get(caller.tenantId)
    const size = known && known.until > Date.now() ? { ...known, entries: known.entries + 1, bytes: known.bytes + bytes } : { ...(await sizeOf(db)), until: Date.now() + countedMs }
    sizes.set(caller.tenantId, size)
    if (size.entries <= maxEntries && size.bytes <= maxBytes) return
    // Some more than it must, so that the next does not have to.
    await evict(db, { entries: Math.ceil(maxEntries * 0.9), bytes: Math.ceil(maxBytes * 0.9) })
    sizes.delete(caller.tenantId)
  }

  return async function keep({ agentKey, as, answer }, { caller }) {
    const keeping = as as Keeping
    if (keeping?.by !== "response-cache" || !isRepeatable(answer, keeping, agentKey)) return
    const text = JSON.stringify(answer)
    const bytes = Buffer.byteLength(text)
    if (bytes > host.config.maxBytes) return
    const { key, agent, user, provider, model, ttlSeconds, alike } = keeping
    const hasCalls = deltasOf(answer).some(({ type }) => type === "tool")
    await keepEntry(host.db.for(caller), {
      id: randomUUIDv7(),
      agent,
      user,
      key,
      provider,
      model,
      answer: text,
      bytes,
      savedTokens: answer.usage.promptTokens + answer.usage.completionTokens,
      ttlSeconds,
      // The arguments of a call belong to the very question.
      ...(alike && !hasCalls && { alike }),
    })
    await makeRoom(caller, bytes)
  }
}

/** Whole, said to its end, by the model that was asked; and of an agent no calls of tools, which would be made again. */
function isRepeatable(answer: KeptAnswer, { provider, model }: Keeping, agentKey: string): boolean {
  if (answer.provider !== provider || answer.model !== model) return false
  const deltas = deltasOf(answer)
  const ends = deltas.filter((delta) => delta.type === "finish")
  if (ends.length === 0 || ends.some(({ reason }) => reason !== "stop" && reason !== "tool_calls")) return false
  if (deltas.some(({ type }) => type === "tool")) return agentKey === ""
  return deltas.some((delta) => delta.type === "text" && delta.text.trim() !== "")
}

function deltasOf({ pieces }: KeptAnswer): Delta[] {
  return pieces.flatMap(({ deltas }) => deltas)
}
