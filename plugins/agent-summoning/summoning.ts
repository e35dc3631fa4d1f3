import { randomUUIDv7 } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { AgentFileStore, type AgentProfile, AgentStates, Agents, type Caller, type Failure, type Host, mayChangeAgent, type SummoningService } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { endSummoning, findSummoning, insertSummoning, lostSummonings, type SummoningRow } from "./store.ts"
import { type Being, modelOf, plainBeing, writeBeing } from "./writing.ts"

/** From a description to who an agent is. The row of a summoning says that it is under way; who removes the row says how it has ended. */
export function createSummoning(host: Host<typeof manifest>) {
  const agents = host.use(Agents)
  const states = host.use(AgentStates)
  const files = host.use(AgentFileStore)
  const underWay = new Map<string, AbortController>()
  host.events.subscribe("agent_summoning.ended", ({ id }: { id: string }) => underWay.get(id)?.abort())

  /** Adds it, in the caller's transaction. */
  const begin = (caller: Caller, agentId: string, wish: string) => insertSummoning(host.db.for(caller), { id: randomUUIDv7(), agent_id: agentId, wish }, host.node)

  /** Null: somebody else has ended it. */
  async function complete(caller: Caller, agent: AgentProfile, { id }: SummoningRow, being: Being): Promise<Being | null> {
    return host.db.for(caller).transaction(async (tx) => {
      if (!(await endSummoning(tx, agent.id, id))) return null
      await files.write(caller, agent.id, being.files)
      const named = agent.displayName === agent.key ? being.displayName : undefined
      await states.settle(caller, agent.id, { status: "active", ...(named && { displayName: named }), ...(being.frontmatter && { frontmatter: being.frontmatter }) })
      tx.audit({ action: "agent.summoned", entityType: "agent", entityId: agent.id, details: { files: being.files.map(({ name }) => name) } })
      return being
    })
  }
  /** False: it is over already. */
  async function fail(caller: Caller, agent: AgentProfile, id: string | null, reason: unknown, action?: string): Promise<boolean> {
    const ended = await host.db.for(caller).transaction(async (tx) => {
      const row = await endSummoning(tx, agent.id, id)
      if (!row) return false
      await states.settle(caller, agent.id, { status: "summon_failed" })
      if (action) tx.audit({ action, entityType: "agent", entityId: agent.id })
      tx.publish("agent_summoning.ended", { id: row.id })
      return true
    })
    if (ended) await states.tell(caller, agent, { type: "failed", error: (await host.describe(reason, caller.locale)) ?? "The agent could not be written." })
    return ended
  }

  async function work(caller: Caller, agent: AgentProfile, row: SummoningRow): Promise<void> {
    const stop = new AbortController()
    underWay.set(row.id, stop)
    const limit = AbortSignal.timeout(host.config.limitSeconds * 1_000)
    const signal = AbortSignal.any([stop.signal, limit])
    try {
      await sleep(host.config.delayMs, undefined, { signal, ref: false })
      await states.tell(caller, agent, { type: "started" })
      const present = await files.all(caller, agent.id)
      const being = (await writeBeing(host, caller, agent, row.wish, present, signal)) ?? instead(agent, row.wish, new Set(present.map(({ name }) => name)))
      signal.throwIfAborted()
      const done = await complete(caller, agent, row, being)
      for (const { name } of done?.files ?? []) await states.tell(caller, agent, { type: "file_generated", file: name })
      if (done) await states.tell(caller, agent, { type: "completed" })
    } catch (err) {
      // Cancelled, or the gateway stops: the former is told by who did it, the latter by the next start.
      if (stop.signal.aborted) return
      host.log.warn({ err, agent: agent.id }, "summoning failed")
      await fail(caller, agent, row.id, limit.aborted ? host.fail("too_slow", { seconds: host.config.limitSeconds }) : err)
    } finally {
      underWay.delete(row.id)
    }
  }
  /** A new agent whose model says nothing of use gets along without; a wish that was not understood leaves all as it is. */
  function instead(agent: AgentProfile, wish: string, present: ReadonlySet<string>): Being {
    if (wish !== "") throw host.fail("no_files", {})
    return { files: plainBeing(agent).files.filter(({ name }) => !present.has(name)) }
  }
  function inBackground(caller: Caller, agent: AgentProfile, row: SummoningRow): void {
    work(caller, agent, row).catch((err: unknown) => host.log.error({ err, agent: agent.id }, "summoning left open"))
  }

  async function owned(caller: Caller, ref: string): Promise<AgentProfile> {
    const agent = await agents.resolve(caller, ref)
    if (!agent) throw host.fail("unknown_agent", { agent: ref })
    if (!mayChangeAgent(caller, agent)) throw host.fail("not_owner", { agent: agent.key })
    return agent
  }

  const service: SummoningService = {
    async prepare(caller, agent) {
      if (agent.type !== "predefined" || agent.description === "") return "active"
      if (await modelOf(host, caller, agent)) return (await begin(caller, agent.id, "")) ? "summoning" : "active"
      await files.write(caller, agent.id, plainBeing(agent).files)
      return "active"
    },
    async start(caller, agentId) {
      const [agent, row] = await Promise.all([agents.find(caller, agentId), findSummoning(host.db.for(caller), agentId)])
      if (agent && row) inBackground(caller, agent, row)
    },
  }
  return {
    service,
    async again(caller: Caller, ref: string, wish: string): Promise<void> {
      const agent = await owned(caller, ref)
      if (wish === "" && agent.description === "") throw host.fail("no_description", { agent: agent.key })
      if (!(await modelOf(host, caller, agent))) throw host.fail("no_model", { agent: agent.key })
      const row = await host.db.for(caller).transaction(async (tx) => {
        const begun = await begin(caller, agent.id, wish)
        if (!begun) throw host.fail("summoning_already", { agent: agent.key })
        if (!(await states.settle(caller, agent.id, { status: "summoning" }))) throw host.fail("unknown_agent", { agent: ref })
        tx.audit({ action: wish === "" ? "agent.resummoned" : "agent.regenerated", entityType: "agent", entityId: agent.id })
        return begun
      })
      inBackground(caller, agent, row)
    },
    async cancel(caller: Caller, ref: string): Promise<void> {
      const agent = await owned(caller, ref)
      const reason: Failure = host.fail("cancelled", {})
      if (!(await fail(caller, agent, null, reason, "agent.summon_cancelled"))) throw host.fail("not_summoning", { agent: agent.key })
    },
    /** The agent is removed. */
    async forget(caller: Caller, agentId: string): Promise<void> {
      await host.db.for(caller).transaction(async (tx) => {
        const row = await endSummoning(tx, agentId, null)
        if (row) tx.publish("agent_summoning.ended", { id: row.id })
      })
    },
    /** Ends what the gateways that began it can end no more. */
    async sweep(caller: Caller): Promise<void> {
      for (const { id, agent_id } of await lostSummonings(host.db.for(caller), host.node.id, host.node.boot, host.config.limitSeconds)) {
        const agent = await agents.find(caller, agent_id)
        if (agent) await fail(caller, agent, id, host.fail("interrupted", {}))
        else await endSummoning(host.db.for(caller), agent_id, id)
      }
    },
    stop(): void {
      for (const controller of underWay.values()) controller.abort()
    },
  }
}
