import { type Caller, type Host, Sessions, seesAll, wireMessage } from "@plugboard/sdk"
import type { Engine } from "./engine.ts"
import type { manifest } from "./manifest.ts"
import { silence } from "./model-call.ts"
import { meantAgent } from "./send.ts"

interface Named {
  sessionKey?: string
  agentId?: string
  runId?: string
}

/** How long an abort waits for the run to end before it says that it let go. Source: wire contract, websocket 6.4. */
const graceMs = 3_000

const eventsAtOnce = 1_000

/** What can be asked and done about chats besides sending. */
export function createControl(host: Host<typeof manifest>, engine: Engine) {
  const sessions = host.use(Sessions)

  /** The session that a call means: by key, else the caller's newest with that agent. */
  async function sessionOf(caller: Caller, { sessionKey, agentId }: Named, running = false): Promise<string | null> {
    if (sessionKey) return sessionKey
    return sessions.newest(caller, (await meantAgent(host, caller, agentId, undefined)).key, running)
  }

  async function activeRun(caller: Caller, named: Named): Promise<string | null> {
    if (named.runId && (named.sessionKey === undefined || named.sessionKey === "")) {
      if (!seesAll(caller)) throw host.fail("session_needed", {})
      return (await sessions.answer(caller, named.runId)) ? named.runId : null
    }
    const key = await sessionOf(caller, named, true)
    const facts = key === null ? null : await sessions.facts(caller, key)
    if (!facts?.activeRun || (named.runId && named.runId !== facts.activeRun)) return null
    return facts.activeRun
  }

  return {
    async history(caller: Caller, sessionKey: string, page: { before?: string; limit?: number }) {
      const { messages, more } = await sessions.history(caller, sessionKey, page)
      const said = messages.filter(({ role, content }) => role !== "assistant" || content.trim() !== silence)
      return { messages: said.map(wireMessage), ...(more && { hasMore: true as const }) }
    },
    async abort(caller: Caller, named: Named) {
      const base = { ok: true as const, aborted: false, stopped: false, forced: false, alreadyAborting: false, notFound: false, unauthorized: false, runIds: null }
      const runId = await activeRun(caller, named)
      if (runId === null) return { ...base, notFound: true }
      const run = engine.get(runId)
      if (run?.endReason) return { ...base, alreadyAborting: true, runIds: [runId] }
      engine.abort(caller, runId)
      const stopped = run === undefined ? await endedElsewhere(caller, runId) : await within(run.done)
      return { ...base, aborted: true, stopped, forced: !stopped, runIds: [runId] }
    },
    /** Of a run on this node at once; of one on another node what it has stored. */
    async events(caller: Caller, named: Named, from: number) {
      const runId = named.runId ?? (await activeRun(caller, named))
      // Whose run it is, is decided here also for those who know its id.
      const answer = runId === null ? null : await sessions.answer(caller, runId)
      if (!runId || !answer) throw host.fail("unknown_run", { run: (named.runId ?? "").slice(0, 100) })
      const isRunning = answer.status === "running" || answer.status === "queued"
      const events = engine.get(runId)?.log.events.slice(from, from + eventsAtOnce) ?? (isRunning ? await engine.stored.read(caller, runId, from, eventsAtOnce) : [])
      return { runId, isRunning, events: events.map((event) => ({ ...event, ...(event.payload && { payload: { ...event.payload } }) })) }
    },
    async inject(caller: Caller, named: Named, message: string, label: string | undefined) {
      const key = await sessionOf(caller, named)
      const id = key && (await sessions.append(caller, key, label ? `[${label}]\n\n${message}` : message))
      if (!id) throw host.fail("unknown_session", { key: (named.sessionKey ?? "").slice(0, 100) })
      return { ok: true as const, messageId: id }
    },
    async status(caller: Caller, named: Named) {
      const key = await sessionOf(caller, named)
      const facts = key === null ? null : await sessions.facts(caller, key)
      const answer = facts?.activeRun ? await sessions.answer(caller, facts.activeRun) : null
      if (!facts?.activeRun || answer?.status !== "running") return { isRunning: false, runId: "", activity: null }
      return { isRunning: true, runId: facts.activeRun, activity: { ...(engine.get(facts.activeRun)?.activity ?? { phase: "thinking" }) } }
    },
  }

  async function endedElsewhere(caller: Caller, runId: string): Promise<boolean> {
    const deadline = performance.now() + graceMs
    while (performance.now() < deadline) {
      if ((await sessions.answer(caller, runId))?.status !== "running") return true
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    return false
  }
}

async function within(done: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), graceMs)
  })
  const stopped = await Promise.race([done.then(() => true), late])
  clearTimeout(timer)
  return stopped
}
