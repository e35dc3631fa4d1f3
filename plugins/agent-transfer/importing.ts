import { AgentRecords, type AgentSection, Agents, type Caller, type Host, type PointUsers, type SseFrame } from "@plugboard/sdk"
import { checkEntries } from "./checking.ts"
import type { manifest } from "./manifest.ts"
import type { Incoming } from "./reading.ts"
import { noneImported, sectionsIn } from "./sections.ts"

/** Agents on their way in: all of an archive, or nothing of it. */
export function createImporting(host: Host<typeof manifest>, sections: PointUsers<AgentSection>) {
  const records = host.use(AgentRecords)
  const agents = host.use(Agents)

  function wanted(caller: Caller, { sections: held }: Incoming, include: string | undefined): string[] {
    const contributed = sections.entries(caller).map(([name]) => name)
    const names = include ? sectionsIn(include, contributed) : ["config", ...held.keys()]
    if (!names) throw host.fail("unknown_section", { sections: ["config", ...contributed].join(", ") })
    // What no plugin knows here stays in the archive.
    return names.filter((name) => name === "config" || (held.has(name) && contributed.includes(name)))
  }

  /** `into`: an agent that is there; otherwise one is made. */
  async function bringIn(caller: Caller, incoming: Incoming, into: string | undefined, names: readonly string[]) {
    const fields: Record<string, unknown> = { ...incoming.agent, ...(incoming.displayName && { display_name: incoming.displayName }) }
    return host.db.for(caller).transaction(async (tx) => {
      const known = into === undefined ? null : await agents.resolve(caller, into)
      if (into !== undefined && !known) throw host.fail("unknown_agent", { agent: into })
      const agent = known ?? (await records.create(caller, names.includes("config") ? fields : { display_name: fields.display_name ?? fields.agent_key }, incoming.key))
      if (known && names.includes("config") && Object.keys(fields).length > 0) await records.update(caller, known.id, fields)
      const counts: Record<string, number>[] = []
      for (const name of names) {
        const section = name === "config" ? undefined : sections.get(name, caller)
        const entries = incoming.sections.get(name) ?? []
        if (!section) continue
        await checkEntries(host, name, section, entries)
        counts.push(await section.write(caller, { id: agent.id, key: agent.key }, entries))
      }
      tx.audit({ action: "agent.imported", entityType: "agent", entityId: agent.id, details: { agent_key: agent.key, sections: names } })
      return { agent_id: agent.id, agent_key: agent.key, ...Object.assign({ ...noneImported }, ...counts), team_imported: false }
    })
  }

  return {
    run: (caller: Caller, incoming: Incoming, into?: string, include?: string) => bringIn(caller, incoming, into, wanted(caller, incoming, include)),
    /** Tells what it takes, then how it went. */
    async *told(caller: Caller, incoming: Incoming, into?: string, include?: string): AsyncGenerator<SseFrame[]> {
      const names = wanted(caller, incoming, include)
      const progress = (status: "running" | "done"): SseFrame[] =>
        names.map((phase, index) => ({
          event: "progress",
          data: { phase, status, current: index + 1, total: names.length, ...(phase !== "config" && { detail: `${incoming.sections.get(phase)?.length ?? 0}` }) },
        }))
      yield progress("running")
      const data = await bringIn(caller, incoming, into, names)
      yield [...progress("done"), { event: "complete", data }]
    },
  }
}
