import { type AgentRecordsService, type Caller, type Host, Providers } from "@plugboard/sdk"
import { type Access, mayChange } from "./access.ts"
import type { createChanges } from "./change.ts"
import { agentFields } from "./fields.ts"
import type { manifest } from "./manifest.ts"
import type { Input } from "./merge.ts"
import { profileOf, shownAgent } from "./wire.ts"

/** What belongs to the place where an agent lives, and not to the agent. */
const local = new Set(["agent_key", "name", "workspace", "is_default"])

/** Agents on their way to and from archives. */
export function createRecords(host: Host<typeof manifest>, access: Access, changes: ReturnType<typeof createChanges>): AgentRecordsService {
  const providers = host.use(Providers)

  /** Only fields that the routes would take. A provider that the tenant does not have is left out with its model. */
  async function inputOf(caller: Caller, fields: Readonly<Record<string, unknown>>): Promise<Input> {
    const { Value } = await import("typebox/value")
    const input: Input & Record<string, unknown> = {}
    for (const [name, schema] of Object.entries(agentFields)) {
      const value = Object.hasOwn(fields, name) ? fields[name] : undefined
      if (local.has(name) || value === undefined || value === null || (name === "status" && !["active", "inactive"].includes(String(value)))) continue
      if (!Value.Check(schema, value)) throw host.fail("bad_field", { field: name })
      input[name] = value
    }
    const unknown = typeof input.provider === "string" && !(await providers.facts(caller, input.provider))
    return { ...input, ...(unknown && { provider: undefined, model: undefined }) }
  }

  return {
    async show(caller, ref) {
      const row = await access.demand(caller, ref)
      if (!mayChange(caller, row)) throw host.fail("not_owner", { agent: row.agent_key })
      return shownAgent(row, (await providers.fallback(caller)) ?? { provider: "", model: "" })
    },
    async create(caller, fields, key) {
      const input = await inputOf(caller, fields)
      const wished = typeof fields.agent_key === "string" ? fields.agent_key : undefined
      return profileOf(await changes.create(caller, { ...input, ...(key !== undefined && { agent_key: key }) }, { number: true, wished, whole: true }))
    },
    async update(caller, ref, fields) {
      return profileOf(await changes.update(caller, ref, await inputOf(caller, fields)))
    },
  }
}
