import type { AgentRef, AgentSection, Caller, PointUsers } from "@plugboard/sdk"

/** Sections that archives may name. What no plugin contributes is empty. Source: wire contract, http-core 5. */
const known = ["config", "context_files", "memory", "knowledge_graph", "cron", "user_profiles", "user_overrides", "workspace", "team", "episodic", "evolution", "vault"]
const usual = ["config", "context_files"]

/** How many there are of each, for clients that count on every number. Source: wire contract, http-core 5. */
export const noCounts = {
  context_files: 0,
  user_context_files_users: 0,
  memory_global: 0,
  memory_per_user: 0,
  kg_entities: 0,
  kg_relations: 0,
  cron_jobs: 0,
  user_profiles: 0,
  user_overrides: 0,
  workspace_files: 0,
  episodic_summaries: 0,
  config_permissions: 0,
  heartbeats: 0,
  links: 0,
}
export const noneImported = { context_files: 0, memory_docs: 0, kg_entities: 0, kg_relations: 0, cron_jobs: 0, user_profiles: 0, user_overrides: 0 }
/** What an entry of a section counts as, where its name is not that of the section. */
const countedAs: Readonly<Record<string, string>> = { memory: "memory_docs", knowledge_graph: "kg_entities", cron: "cron_jobs", heartbeat: "heartbeats" }

/** Part of a pattern: one name of a list such as `config,memory`. */
export const oneSection = `\\s*(?:all|${known.join("|")})?\\s*`

/** The names in a list such as `config,memory`; null when one of them is no section's. */
export function sectionsIn(list: string | undefined, contributed: readonly string[]): string[] | null {
  const names = (list ?? "").split(",", 100).flatMap((name) => name.trim() || [])
  if (names.includes("all")) return ["config", ...contributed]
  const all = new Set([...known, ...contributed])
  if (!names.every((name) => all.has(name))) return null
  return names.length > 0 ? [...new Set(names)] : usual
}

export async function countsOf(sections: PointUsers<AgentSection>, caller: Caller, agent: AgentRef): Promise<typeof noCounts & Record<string, number>> {
  const counts = await Promise.all(sections.entries(caller).map(([, section]) => section.counts(caller, agent)))
  return Object.assign({ ...noCounts }, ...counts)
}

/** The same of what an archive holds. */
export function countsIn(held: ReadonlyMap<string, readonly unknown[]>): typeof noneImported & Record<string, number> {
  const counts = [...held].map(([name, entries]) => [countedAs[name] ?? name, entries.length])
  return { ...noneImported, ...Object.fromEntries(counts) }
}
