import { randomUUID, randomUUIDv7 } from "node:crypto"
import { AgentLinks, type AgentProfile, Agents, type Host, Teams, type ToolContext } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { type DelegationRow, findOrigin, insertDelegation } from "./records.ts"
import { toldDelegation } from "./wire.ts"

export interface Asked {
  agent: string
  task: string
  mode: "sync" | "async"
}
export interface Begun {
  row: DelegationRow
  target: AgentProfile
}

/** A record is kept for a while after its time is up: whoever waits for it writes its end then. */
const graceSeconds = 60

/** Whether the work may be handed on, and its record. Rejects with what the model is told when it may not. */
export function createBegin(host: Host<typeof manifest>) {
  const agents = host.use(Agents)
  const links = host.use(AgentLinks)
  const { maxDepth, maxRounds, timeoutSeconds } = host.config

  return async function begin(asked: Asked, { caller, runId, agentKey, sessionKey, channel, chatId }: ToolContext): Promise<Begun> {
    // PostgreSQL takes neither; what a model says shall not be lost for it.
    const task = asked.task.replaceAll("\0", "\ufffd").toWellFormed()
    if (task.trim() === "") throw host.fail("no_task", {})
    // The user need not be allowed to use an agent that works for him through another one.
    const source = await agents.resolve({ ...caller, role: "admin" }, agentKey)
    const link = source && (await links.between(caller, source.id, asked.agent))
    if (!source || !link) {
      const known = source ? await links.targets(caller, source.id) : []
      throw host.fail("not_linked", { agent: asked.agent.slice(0, 100), agents: known.map(({ target }) => target.key).join(", ") || "-" })
    }
    const { target } = link
    const origin = await findOrigin(host.db.for(caller), runId)
    // Work that a team's task has caused, over however many steps.
    const teamTask = origin === null && host.has(Teams, caller) ? await host.use(Teams).taskOf(caller, runId) : null
    const isTold = origin?.announce_run_id === runId
    const chain = origin ? origin.chain.slice(0, isTold ? -1 : undefined) : [source.id]
    const round = origin ? origin.round + (isTold ? 1 : 0) : 0
    if (chain.includes(target.id)) throw host.fail("circle", { agent: target.key })
    if (chain.length > maxDepth) throw host.fail("too_deep", { maxDepth })
    if (round > maxRounds) throw host.fail("too_many_rounds", { maxRounds })
    const id = randomUUIDv7()
    const made = {
      id,
      link_id: link.id,
      source_agent_id: source.id,
      source_agent_key: source.key,
      source_name: source.displayName,
      target_agent_id: target.id,
      target_agent_key: target.key,
      target_name: target.displayName,
      user_id: caller.userId,
      user_role: caller.role,
      task,
      mode: asked.mode,
      run_id: randomUUID(),
      session_key: `agent:${target.key}:subagent:${id}`,
      parent_run_id: runId,
      parent_session_key: sessionKey,
      parent_channel: channel,
      parent_chat_id: chatId,
      chain: [...chain, target.id],
      round,
      team_id: origin?.team_id ?? teamTask?.teamId ?? null,
      team_task_id: origin?.team_task_id ?? teamTask?.taskId ?? null,
      announce_run_id: asked.mode === "async" ? randomUUID() : null,
    }
    const row = await host.db.for(caller).transaction(async (tx) => {
      const inserted = await insertDelegation(tx, made, link.maxConcurrent, timeoutSeconds + graceSeconds)
      if (!inserted) throw host.fail("busy", { agent: target.key, maxConcurrent: link.maxConcurrent })
      tx.audit({ action: "delegation.started", entityType: "delegation", entityId: id, details: { source: source.key, target: target.key, mode: asked.mode } })
      tx.publish("delegation.started", toldDelegation(inserted), { userId: caller.userId })
      return inserted
    })
    return { row, target }
  }
}
