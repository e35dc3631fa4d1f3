import { type AgentStatesService, type Caller, type Host, Summoning } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { type AgentRow, settleAgent } from "./store.ts"

/** Dashboards open a window after each creation, which drops what came before it and closes on `completed`. Source: wire contract, http-core 5, "Summoning". */
const delayMs = 1_500

/** What those who wait for a new agent are told; who it is, the plugin that offers `Summoning` lets a model write. */
export function createSummoning(host: Host<typeof manifest>) {
  const timers = new Set<NodeJS.Timeout>()
  const states: AgentStatesService = {
    async settle(caller, agentId, { status, displayName, frontmatter }) {
      return host.db.for(caller).transaction(async (tx) => {
        tx.publish("agents.changed", { id: agentId })
        return settleAgent(tx, agentId, status, displayName ?? "", frontmatter ?? "")
      })
    },
    async tell(caller, agent, step) {
      host.events.publish(caller, "agent.summoning", { agent_id: agent.id, ...step }, { userId: agent.ownerId })
    },
  }
  return {
    states,
    /** After the transaction that made the agent. */
    async begin(caller: Caller, { id, owner_id, status }: AgentRow): Promise<void> {
      if (status === "summoning") return host.use(Summoning).start(caller, id)
      const timer = setTimeout(() => {
        timers.delete(timer)
        const agent = { id, ownerId: owner_id }
        void states.tell(caller, agent, { type: "started" })
        for (const file of ["SOUL.md", "IDENTITY.md"]) void states.tell(caller, agent, { type: "file_generated", file })
        void states.tell(caller, agent, { type: "completed" })
      }, delayMs)
      timer.unref()
      timers.add(timer)
    },
    stop() {
      for (const timer of timers) clearTimeout(timer)
    },
  }
}
