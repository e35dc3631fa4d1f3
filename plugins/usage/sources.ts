import { Agents, type Caller, type Host, Passthrough, Sessions, type UsageGroup, type UsageSource } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

/** Groups that are read at once. */
const page = 2_000

export interface Counted extends UsageGroup {
  /** Null when there is no such agent any more, or none made the calls. */
  agentId: string | null
}

/** What is on record: runs of agents, and calls of providers without one. Either may be off. */
export function createSources(host: Host<typeof manifest>) {
  const present = (): Pick<UsageSource, "usage" | "usedSince">[] => [...(host.has(Sessions) ? [host.use(Sessions)] : []), ...(host.has(Passthrough) ? [host.use(Passthrough)] : [])]

  async function* pagesOf(source: UsageSource, caller: Caller, from: string, to: string): AsyncIterable<UsageGroup[]> {
    for (let skip = 0; ; skip += page) {
      const groups = await source.usage(caller, from, to, page, skip)
      yield groups
      if (groups.length < page) return
    }
  }

  /** By key; also of those that the caller may not use, since totals are open to all. */
  async function agentIds(caller: Caller): Promise<Map<string, string>> {
    if (!host.has(Agents)) return new Map()
    const agents = await host.use(Agents).list({ ...caller, role: "admin" })
    return new Map(agents.map(({ key, id }) => [key, id]))
  }

  return {
    /** RFC 3339; the earliest end at `from` or later. */
    async first(caller: Caller, from: string): Promise<string | null> {
      const firsts = await Promise.all(present().map((source) => source.usedSince(caller, from)))
      return firsts.filter((first) => first !== null).sort()[0] ?? null
    },
    async between(caller: Caller, from: string, to: string): Promise<Counted[]> {
      const groups: UsageGroup[] = []
      for (const source of present()) for await (const some of pagesOf(source, caller, from, to)) groups.push(...some)
      const ids = groups.length > 0 ? await agentIds(caller) : new Map<string, string>()
      return groups.map((group) => ({ ...group, agentId: ids.get(group.agentKey) ?? null }))
    },
  }
}
