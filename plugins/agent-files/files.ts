import {
  type AgentFile,
  type AgentFileName,
  type AgentFileStoreService,
  type AgentProfile,
  Agents,
  agentFileNames,
  type Caller,
  ConfigPermissions,
  type Host,
  mayChangeAgent,
} from "@plugboard/sdk"
import { withName } from "./identity.ts"
import { mergeMetadata, writeInstanceFile } from "./instances.ts"
import type { manifest } from "./manifest.ts"
import { copyToInstances, deleteAllOf, filesOf, findFile, writeFile } from "./store.ts"

const mostMetadata = 100

/** Who may read and write files, and the writes. */
export function createFiles(host: Host<typeof manifest>) {
  const agents = host.use(Agents)

  /** The agent, which the caller may use; empty: the default one. */
  async function usable(caller: Caller, ref: string | undefined): Promise<AgentProfile> {
    const agent = await (ref ? agents.resolve(caller, ref) : agents.fallback(caller))
    if (!agent) throw host.fail("unknown_agent", { agent: ref || "default" })
    return agent
  }
  function named(name: string): AgentFileName {
    if (!(agentFileNames as readonly string[]).includes(name)) throw host.fail("unknown_file", { file: name, files: agentFileNames.join(", ") })
    return name as AgentFileName
  }
  async function owned(caller: Caller, ref: string | undefined): Promise<AgentProfile> {
    const agent = await usable(caller, ref)
    if (!mayChangeAgent(caller, agent)) throw host.fail("not_owner", { agent: agent.key })
    return agent
  }

  /** Also for whom a permission lets write the agent's own files. */
  async function writable(caller: Caller, ref: string | undefined): Promise<AgentProfile> {
    const agent = await usable(caller, ref)
    if (mayChangeAgent(caller, agent)) return agent
    const asked = { agent: agent.id, scope: "agent", type: "context_files", userId: caller.userId } as const
    const allowed = host.has(ConfigPermissions) && (await host.use(ConfigPermissions).check(caller, asked)).allowed
    if (!allowed) throw host.fail("not_owner", { agent: agent.key })
    return agent
  }

  const store: AgentFileStoreService = {
    async all(caller, agentId) {
      const files = new Map((await filesOf(host.db.for(caller), agentId)).map((file) => [file.name, file]))
      return agentFileNames.flatMap((name) => files.get(name) ?? [])
    },
    async write(caller, agentId, files) {
      await host.db.for(caller).transaction(async (tx) => {
        for (const file of files) await writeFile(tx, agentId, file)
        tx.publish("agent_files.changed", {})
      })
    },
  }
  return {
    usable,
    owned,
    writable,
    named,
    store,
    /** Returns how many copies of users were written, too. */
    async set(caller: Caller, agent: AgentProfile, file: AgentFile, propagate: boolean): Promise<number> {
      return host.db.for(caller).transaction(async (tx) => {
        await writeFile(tx, agent.id, file)
        // A predefined agent's users have no copies but of this one.
        const propagated = propagate && (agent.type === "open" || file.name === "USER.md") ? await copyToInstances(tx, agent.id, file) : 0
        tx.audit({ action: "agent.file_set", entityType: "agent", entityId: agent.id, details: { file: file.name, propagated } })
        tx.publish("agent_files.changed", {})
        return propagated
      })
    },
    async setForUser(caller: Caller, agent: AgentProfile, userId: string, file: AgentFile): Promise<void> {
      if (file.name !== "USER.md") throw host.fail("not_per_user", { file: file.name })
      await host.db.for(caller).transaction(async (tx) => {
        await writeInstanceFile(tx, agent.id, userId, file)
        tx.audit({ action: "agent_instance.file_set", entityType: "agent_instance", entityId: agent.id, details: { user_id: userId, file: file.name } })
        tx.publish("agent_files.changed", {})
      })
    },
    async addMetadata(caller: Caller, agent: AgentProfile, userId: string, given: Readonly<Record<string, unknown>>): Promise<void> {
      // Today's command-line client sends the map itself.
      const inner = given.metadata
      const map = typeof inner === "object" && inner !== null && !Array.isArray(inner) ? inner : given
      const entries = Object.entries(map)
      const fits = entries.length > 0 && entries.every(([key, value]) => key.length <= 100 && typeof value === "string" && value.length <= 10_000)
      if (!fits) throw host.fail("bad_metadata", { most: mostMetadata })
      await host.db.for(caller).transaction(async (tx) => {
        if (!(await mergeMetadata(tx, agent.id, userId, Object.fromEntries(entries), mostMetadata))) throw host.fail("bad_metadata", { most: mostMetadata })
        tx.audit({ action: "agent_instance.metadata_updated", entityType: "agent_instance", entityId: agent.id, details: { user_id: userId, keys: entries.map(([key]) => key) } })
      })
    },
    /** The name in `IDENTITY.md` follows the agent's. */
    async rename(caller: Caller, agentId: string, displayName: string): Promise<void> {
      const text = await findFile(host.db.for(caller), agentId, "IDENTITY.md")
      if (text !== null) await store.write(caller, agentId, [{ name: "IDENTITY.md", content: withName(text, displayName) }])
    },
    async removeAll(caller: Caller, agentId: string): Promise<void> {
      await host.db.for(caller).transaction(async (tx) => {
        await deleteAllOf(tx, agentId)
        tx.publish("agent_files.changed", {})
      })
    },
  }
}
