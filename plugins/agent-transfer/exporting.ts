import { createHash, randomBytes } from "node:crypto"
import { AgentRecords, type AgentRef, type AgentSection, type Caller, type Host, type PointUsers, type SseFrame } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { withoutSecrets } from "./secrets.ts"
import { sectionsIn } from "./sections.ts"
import { keepArchive } from "./store.ts"
import { type ArchiveFile, pack } from "./tarball.ts"

interface Part {
  section: string
  entries: readonly unknown[]
}
export const hashOf = (token: string) => createHash("sha256").update(token).digest("hex")

/** Agents on their way out. Only for the agent's owner and admins, and never with secrets. */
export function createExporting(host: Host<typeof manifest>, sections: PointUsers<AgentSection>) {
  const records = host.use(AgentRecords)

  /** The agent as the wire has it. */
  async function shown(caller: Caller, ref: string) {
    const agent = withoutSecrets(await records.show(caller, ref)) as Record<string, unknown>
    return { agent, ref: { id: String(agent.id), key: String(agent.agent_key) } }
  }
  function named(list: string | undefined, caller: Caller): string[] {
    const contributed = sections.entries(caller).map(([name]) => name)
    const names = sectionsIn(list, contributed)
    if (!names) throw host.fail("unknown_section", { sections: ["config", ...contributed].join(", ") })
    return names
  }

  /** One section after the other, each bounded by what is left. */
  async function* parts(caller: Caller, agent: AgentRef, names: readonly string[]): AsyncGenerator<Part> {
    let left = host.config.maxBytes
    for (const section of names) {
      if (section === "config") continue
      const entries: unknown[] = []
      for await (const entry of sections.get(section, caller)?.read(caller, agent) ?? []) {
        left -= JSON.stringify(entry).length
        if (left < 0) throw host.fail("too_large", { bytes: host.config.maxBytes })
        entries.push(entry)
      }
      yield { section, entries }
    }
  }
  function filesOf(caller: Caller, agent: Record<string, unknown>, ref: AgentRef, names: readonly string[], read: readonly Part[]): ArchiveFile[] {
    const json = (value: unknown) => Buffer.from(JSON.stringify(value, null, 2))
    const about = { version: 1, format: "tar.gz", exported_at: new Date().toISOString(), exported_by: caller.userId, agent_key: ref.key, agent_id: ref.id, sections: names }
    return [
      { name: "manifest.json", content: json(about) },
      ...(names.includes("config") ? [{ name: "agent.json", content: json(agent) }] : []),
      ...read.map(({ section, entries }) => ({ name: `${section}.jsonl`, content: Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join("")) })),
    ]
  }
  /** Who has taken what out of the house is asked later. */
  async function audit(caller: Caller, agent: AgentRef, names: readonly string[]): Promise<void> {
    await host.db.for(caller).transaction(async (tx) => tx.audit({ action: "agent.exported", entityType: "agent", entityId: agent.id, details: { sections: names } }))
  }
  const fileNameOf = (agent: AgentRef) => `agent-${agent.key}.tar.gz`

  return {
    shown,
    async bundle(caller: Caller, ref: string, list: string | undefined) {
      const { agent, ref: known } = await shown(caller, ref)
      const names = named(list, caller)
      const bundle: Record<string, unknown> = { version: 1, format: "json", exported_at: new Date().toISOString(), sections: names, agent, context_files: [] }
      for await (const { section, entries } of parts(caller, known, names)) bundle[section === "memory" ? "memories" : section] = entries
      await audit(caller, known, names)
      return bundle
    },
    async tarball(caller: Caller, ref: string, list: string | undefined) {
      const { agent, ref: known } = await shown(caller, ref)
      const names = named(list, caller)
      const read: Part[] = []
      for await (const part of parts(caller, known, names)) read.push(part)
      const content = await pack(filesOf(caller, agent, known, names, read))
      await audit(caller, known, names)
      return { content, fileName: fileNameOf(known) }
    },
    /** Tells how far it is, and where the archive waits. What cannot be begun is refused before the first event. */
    async told(caller: Caller, ref: string, list: string | undefined): Promise<AsyncGenerator<SseFrame[]>> {
      const { agent, ref: known } = await shown(caller, ref)
      const names = named(list, caller)
      async function* frames(): AsyncGenerator<SseFrame[]> {
        const progress = (data: object): SseFrame[] => [{ event: "progress", data }]
        const read: Part[] = []
        const total = names.length
        yield progress({ phase: "config", status: "done", current: 1, total })
        for await (const part of parts(caller, known, names)) {
          read.push(part)
          yield progress({ phase: part.section, status: "done", detail: `${part.entries.length}`, current: Math.min(read.length + 1, total), total })
        }
        yield progress({ phase: "archive", status: "running", current: total, total })
        const content = await pack(filesOf(caller, agent, known, names, read))
        const token = randomBytes(24).toString("base64url")
        await host.db
          .for(caller)
          .transaction((tx) => keepArchive(tx, { hash: hashOf(token), userId: caller.userId, fileName: fileNameOf(known), content, seconds: host.config.keepSeconds }))
        await audit(caller, known, names)
        yield progress({ phase: "archive", status: "done", current: total, total })
        yield [{ event: "complete", data: { download_url: `/v1/agents/${known.id}/export/download/${token}`, file_name: fileNameOf(known) } }]
      }
      return frames()
    },
  }
}
