import { randomUUIDv7 } from "node:crypto"
import { AgentParts, type Caller, type Host, Providers, Sessions, Summoning, seesAll, type Tx } from "@plugboard/sdk"
import { type Access, mayChange } from "./access.ts"
import type { manifest } from "./manifest.ts"
import { type Input, isInside, isKey, keyOf, merge } from "./merge.ts"
import { blankAgent, ensureDefault } from "./seed.ts"
import { type AgentRow, deleteAgent, holdKey, insertAgent, lockAgent, settleAgent, takenKeys, unmarkDefaults, updateAgent, type Written } from "./store.ts"
import { profileOf } from "./wire.ts"

type OwnerInput = Input & { owner_ids?: string[] }
/** Whether a key that is made of a name gets a number when it is taken. */
interface Naming {
  number: boolean
  /** Stands in for a key that is made of a name. */
  wished?: string | undefined
  /** True: its files come along, so that no model need write them. */
  whole?: boolean
}

/** Writes to agents. */
export function createChanges(host: Host<typeof manifest>, access: Access) {
  const root = host.config.workspaceRoot
  const providers = host.use(Providers)
  const parts = host.open(AgentParts)

  function check(agent: Written): Written {
    if (!isKey(agent.agent_key)) throw host.fail("bad_key", { key: agent.agent_key.slice(0, 100) })
    if (!isInside(root, agent.workspace)) throw host.fail("bad_workspace", { root })
    return agent
  }

  /** An explicit key is taken as it is. One that is made of a name may get a number. */
  async function keyFor(tx: Tx, input: Input, { number: numbered, wished }: Naming): Promise<{ key: string; made: boolean }> {
    const explicit = input.agent_key || (input.name && isKey(input.name) ? input.name : "")
    if (explicit) return { key: explicit, made: false }
    const base = wished && isKey(wished) ? wished : keyOf(input.display_name ?? "") || keyOf(input.name ?? "")
    if (base === "") throw host.fail("no_name", {})
    if (!numbered) return { key: base, made: false }
    const taken = await takenKeys(tx, base)
    for (let number = 1; ; number += 1) {
      const key = number === 1 ? base : `${base}-${number}`
      if (!taken.has(key) && isKey(key)) return { key, made: true }
    }
  }

  const ownerOf = (caller: Caller, input: OwnerInput, present: string) => (seesAll(caller) && input.owner_ids?.[0]) || present
  const told = (tx: Tx, action: string, { id, agent_key }: Pick<AgentRow, "id" | "agent_key">) => {
    tx.audit({ action, entityType: "agent", entityId: id, details: { agent_key } })
    tx.publish("agents.changed", { id })
  }

  async function insert(caller: Caller, input: OwnerInput, naming: Naming, defaults: { provider: string; model: string } | null): Promise<AgentRow | null> {
    return host.db.for(caller).transaction(async (tx) => {
      const { key, made } = await keyFor(tx, input, naming)
      const blank = { ...blankAgent(key, ownerOf(caller, input, caller.userId), root), provider: defaults?.provider ?? "", model: defaults?.model ?? "" }
      const agent = check(merge(blank, { ...input, agent_key: key }))
      // The default model belongs to the default provider; another provider has its own.
      if (input.provider && input.provider !== defaults?.provider && !input.model) agent.model = ""
      const id = randomUUIDv7()
      await holdKey(tx, key)
      const row = await insertAgent(tx, id, agent)
      if (!row) {
        if (made) return null
        throw host.fail("key_taken", { key })
      }
      if (row.is_default) await unmarkDefaults(tx, id)
      told(tx, "agent.created", row)
      if (naming.whole || row.status !== "active" || !host.has(Summoning)) return row
      const status = await host.use(Summoning).prepare(caller, profileOf(row))
      if (status !== "active") await settleAgent(tx, id, status, "", "")
      return { ...row, status }
    })
  }

  return {
    async create(caller: Caller, input: OwnerInput, naming: Naming): Promise<AgentRow> {
      // Whatever is made first, everybody of the tenant has an agent to talk to.
      if (input.agent_key !== "default" && input.name !== "default") await ensureDefault(host, caller)
      const defaults = await providers.fallback(caller)
      // Two callers may make an agent of the same name at once; the later one takes the next number.
      for (;;) {
        const row = await insert(caller, input, naming, defaults)
        if (row) return row
      }
    },
    async update(caller: Caller, ref: string, input: OwnerInput): Promise<AgentRow> {
      const { id, agent_key } = await access.demand(caller, ref)
      return host.db.for(caller).transaction(async (tx) => {
        const present = await lockAgent(tx, id)
        if (!present) throw host.fail("unknown_agent", { agent: ref.slice(0, 100) })
        if (!mayChange(caller, present)) throw host.fail("not_owner", { agent: agent_key })
        const written = check({ ...merge(present, input), owner_id: ownerOf(caller, input, present.owner_id) })
        if (written.agent_key !== present.agent_key) {
          await holdKey(tx, written.agent_key)
          if ((await takenKeys(tx, written.agent_key)).has(written.agent_key)) throw host.fail("key_taken", { key: written.agent_key })
        }
        const row = await updateAgent(tx, id, written)
        if (row.is_default && !present.is_default) await unmarkDefaults(tx, id)
        if (row.display_name !== present.display_name && row.display_name !== "") {
          for (const [, part] of parts.entries()) await part.renamed?.(caller, { id, key: row.agent_key }, row.display_name)
        }
        told(tx, "agent.updated", row)
        return row
      })
    },
    async remove(caller: Caller, ref: string): Promise<AgentRow> {
      const row = await access.demand(caller, ref)
      if (row.agent_key === "default") throw host.fail("default_stays", {})
      await host.db.for(caller).transaction(async (tx) => {
        if (!(await deleteAgent(tx, row.id))) throw host.fail("unknown_agent", { agent: ref.slice(0, 100) })
        for (const [, part] of parts.entries()) await part.remove(caller, { id: row.id, key: row.agent_key })
        if (host.has(Sessions)) await host.use(Sessions).removeOfAgent(caller, row.agent_key)
        told(tx, "agent.deleted", row)
      })
      return row
    },
  }
}
