import { randomUUIDv7 } from "node:crypto"
import type { Caller, Host } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { hasAnyAgent, insertAgent, type Written } from "./store.ts"

/** What an agent is before anybody says anything of it. */
export function blankAgent(key: string, ownerId: string, workspaceRoot: string): Written {
  return {
    agent_key: key,
    display_name: "",
    owner_id: ownerId,
    agent_type: "open",
    status: "active",
    is_default: false,
    provider: "",
    model: "",
    system_prompt: "",
    description: "",
    frontmatter: "",
    emoji: "",
    avatar: "",
    thinking_level: "",
    workspace: `${workspaceRoot}/${key}`,
    context_window: 200_000,
    max_tool_iterations: 30,
    max_tokens: 0,
    skill_nudge_interval: 15,
    self_evolve: false,
    skill_evolve: false,
    budget_monthly_cents: null,
    configs: { memory_config: { enabled: true }, compaction_config: {} },
  }
}

/** The agent `default` of a tenant that has none at all, on the tenant's default provider whichever that is. */
export async function ensureDefault(host: Host<typeof manifest>, caller: Caller): Promise<void> {
  if (await hasAnyAgent(host.db.for(caller))) return
  await host.db.for(caller).transaction(async (tx) => {
    const id = randomUUIDv7()
    const made = await insertAgent(tx, id, { ...blankAgent("default", "system", host.config.workspaceRoot), display_name: "Default", agent_type: "predefined", is_default: true })
    if (!made) return
    tx.audit({ action: "agent.created", entityType: "agent", entityId: id, details: { agent_key: "default", seeded: true } })
    tx.publish("agents.changed", { id })
  })
}
