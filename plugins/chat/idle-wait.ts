import { setTimeout as sleep } from "node:timers/promises"
import { type Caller, type Host, Sessions } from "@plugboard/sdk"
import type { Engine } from "./engine.ts"
import type { manifest } from "./manifest.ts"
import { meantAgent } from "./send.ts"

/** How often a wait looks, in ms. */
const lookMs = 250

/** Waits for the end of what is under way: of a session on every node, of an agent as a whole on the node that is asked. */
export function createIdleWait(host: Host<typeof manifest>, engine: Engine) {
  const sessions = host.use(Sessions)

  return async function waitUntilIdle(caller: Caller, agentId: string | undefined, sessionKey: string | undefined, ms: number, closed: AbortSignal) {
    const { key } = await meantAgent(host, caller, agentId, sessionKey)
    const isRunning = async () => (sessionKey ? (await sessions.facts(caller, sessionKey))?.activeRun != null : engine.running(caller).includes(key))
    const deadline = performance.now() + ms
    let busy = await isRunning()
    while (busy && performance.now() < deadline && !closed.aborted) {
      await sleep(lookMs)
      busy = await isRunning()
    }
    return { id: key, status: busy ? ("running" as const) : ("idle" as const) }
  }
}
