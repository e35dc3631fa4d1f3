import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { type AgentProfile, Agents, type Caller, type Host, type RunsService, Sessions } from "@plugboard/sdk"
import type { Engine } from "./engine.ts"
import type { manifest } from "./manifest.ts"
import { meantAgent } from "./send.ts"

/** How often a run on another node is looked at, in ms. */
const lookMs = 500

/** Runs that other plugins start and wait for. */
export function createAskedRuns(host: Host<typeof manifest>, engine: Engine): RunsService {
  const sessions = host.use(Sessions)
  const agents = host.use(Agents)

  /** A profile stands for its agent as it is now: whoever brings one cannot make it up. */
  async function agentOf(caller: Caller, asked: string | AgentProfile): Promise<AgentProfile> {
    if (typeof asked === "string") return meantAgent(host, caller, asked, undefined)
    const agent = await agents.resolve({ ...caller, role: "admin" }, asked.id)
    if (agent?.status !== "active") throw host.fail("unknown_agent", { agent: asked.key.slice(0, 100) })
    return agent
  }

  return {
    running: async (caller) => engine.running(caller),
    async start(caller: Caller, { agent: asked, fresh, light, instructions = [], provider, model, runId = randomUUID(), origin, ...turn }) {
      const agent = await agentOf(caller, asked)
      if (engine.get(runId)) throw new Error(`the run ${runId} is under way`)
      const started = await engine.start(caller, {
        runId,
        agent: provider ? { ...agent, provider, model: "" } : agent,
        stream: true,
        instructions,
        ...(model && { model }),
        ...(fresh && { fresh }),
        ...(light && { light }),
        ...(origin && { origin }),
        turn: { ...turn, agentKey: agent.key, whenBusy: "queue" },
      })
      if (started.outcome === "run") return { runId: started.run.id }
      return { runId: started.outcome === "answered" ? started.answer.runId : started.runId }
    },
    async abort(caller, runId) {
      if (await sessions.answer(caller, runId)) engine.abort(caller, runId)
    },
    async ended(caller, runId, signal) {
      const left = new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })))
      // What it waited for is stored by then, save in an outage; whoever owns the run then ends it when its lease has run out.
      await Promise.race([engine.get(runId)?.done, left])
      for (;;) {
        signal.throwIfAborted()
        const answer = await sessions.answer(caller, runId)
        if (answer?.status !== "running" && answer?.status !== "queued") return answer
        await sleep(lookMs, undefined, { signal })
      }
    },
  }
}
