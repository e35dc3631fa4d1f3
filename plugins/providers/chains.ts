import type { Caller, Route } from "@plugboard/sdk"
import { LRUCache } from "lru-cache"
import type { Link } from "./attempt.ts"
import type { Connections } from "./connections.ts"

/** Whom a call may ask, in order. */
export function createChains(connections: Connections) {
  /** How often a chain whose links take turns was asked. */
  const turns = new LRUCache<string, number>({ max: 10_000 })

  return async function chainOf(caller: Caller, { provider, fallbacks, inTurn }: Route, model: string): Promise<readonly Link[]> {
    const first: Link = { provider, model }
    const own = fallbacks ? undefined : (await connections.find(caller, provider))?.routing
    const further = fallbacks ?? own?.fallbacks ?? []
    if (further.length === 0) return [first]
    const links = [first, ...further.filter((link) => link.provider !== provider || link.model !== model)]
    if (!(inTurn ?? own?.inTurn)) return links
    const key = `${caller.tenantId} ${links.map((link) => `${link.provider}/${link.model ?? ""}`).join(" ")}`
    const turn = turns.get(key) ?? 0
    turns.set(key, (turn + 1) % links.length)
    return [...links.slice(turn), ...links.slice(0, turn)]
  }
}
