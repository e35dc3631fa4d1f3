import type { Caller, Host } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import type { AgentRow } from "./store.ts"

/** Dashboards open a window after each creation, which drops what came before it and closes on `completed`. Source: wire contract, http-core 5, "Summoning". */
const delayMs = 1_500

/** Tells those who wait for a new agent that it is ready. The returned function forgets what is still to be told. */
export function createSummoning(host: Host<typeof manifest>): { announce(caller: Caller, agent: AgentRow): void; stop(): void } {
  const timers = new Set<NodeJS.Timeout>()
  return {
    announce(caller, agent) {
      const timer = setTimeout(() => {
        timers.delete(timer)
        const tell = (event: object) => host.events.publish(caller, "agent.summoning", { agent_id: agent.id, ...event }, { userId: agent.owner_id })
        tell({ type: "started" })
        for (const file of ["SOUL.md", "IDENTITY.md"]) tell({ type: "file_generated", file })
        tell({ type: "completed" })
      }, delayMs)
      timer.unref()
      timers.add(timer)
    },
    stop() {
      for (const timer of timers) clearTimeout(timer)
    },
  }
}
