import { Agents, type Caller, type Host, type RunAnswer, Sessions } from "@plugboard/sdk"
import { createEnding } from "./ending.ts"
import { Lanes } from "./lanes.ts"
import { createLoop } from "./loop.ts"
import type { manifest } from "./manifest.ts"
import type { Outcomes } from "./outcome.ts"
import { patiently } from "./patience.ts"
import { type EndReason, type Request, Run } from "./run.ts"
import { createStoredEvents } from "./stored-events.ts"
import { createTelling } from "./telling.ts"

/** What became of a request. `run` is on this node and may be followed; `answer` is the one of an earlier run with the same idempotency key. */
export type Started = { outcome: "run"; run: Run } | { outcome: "injected"; runId: string } | { outcome: "answered"; answer: RunAnswer }

/** One engine for every way to ask: HTTP, sockets, and later channels, schedules and delegation. They differ in how they ask and in how they listen. */
export function createEngine(host: Host<typeof manifest>, outcomes: Outcomes) {
  const sessions = host.use(Sessions)
  const agents = host.use(Agents)
  const telling = createTelling(host)
  const think = createLoop(host, telling)
  const ending = createEnding(host, telling, outcomes)
  const stored = createStoredEvents(host)
  const runs = new Map<string, Run>()
  /** Those of them whose turn has not come. */
  const queued = new Set<Run>()
  /** Two messages of one socket may come at the same time; connections to the database would bring them in any order. */
  const lanes = new Lanes()
  let draining = false

  async function start(caller: Caller, request: Request): Promise<Started> {
    if (draining) throw host.fail("stopping", {}, { retryAfterMs: 2_000 })
    if (runs.size >= host.config.maxRuns) throw host.fail("too_many_runs", {}, { retryAfterMs: 2_000 })
    const { turn, agent } = request
    const asked = { agentKey: agent.key, sessionKey: turn.sessionKey, message: turn.message, channel: turn.channel, chatId: turn.chatId }
    // Nothing ends it from outside, and its taps have limits of their own.
    const shaped = await host.hooks.call("run.requested", asked, { caller, signal: new AbortController().signal })
    const run = new Run(caller, shaped === asked ? request : { ...request, turn: { ...turn, message: shaped.message } })
    // Known before it is stored, so that a message which is injected meanwhile finds it.
    runs.set(run.id, run)
    try {
      const begun = await lanes.run(`${caller.tenantId}\n${turn.sessionKey}`, () => sessions.begin(caller, { ...run.request.turn, runId: run.id }))
      switch (begun.outcome) {
        case "started":
          run.seat(begun, host.config.maxHistoryChars)
          void drive(run, begun.model)
          return { outcome: "run", run }
        case "queued":
          queued.add(run)
          return { outcome: "run", run }
        case "foreign":
          throw host.fail("foreign_session", { key: turn.sessionKey })
        case "full":
          throw host.fail("session_full", { key: turn.sessionKey }, { retryAfterMs: 5_000 })
        case "injected":
          runs.delete(run.id)
          host.events.publish(caller, "chat.injected", { runId: begun.runId })
          return { outcome: "injected", runId: begun.runId }
        case "repeated": {
          runs.delete(run.id)
          const same = runs.get(begun.runId)
          return same ? { outcome: "run", run: same } : { outcome: "answered", answer: await awaitAnswer(caller, begun.answer) }
        }
      }
    } catch (error) {
      runs.delete(run.id)
      throw error
    }
  }

  /** The repeated run is under way on another node: its answer is there when it has ended. */
  async function awaitAnswer(caller: Caller, answer: RunAnswer): Promise<RunAnswer> {
    const deadline = performance.now() + host.config.runTimeoutMs
    let latest = answer
    while ((latest.status === "running" || latest.status === "queued") && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      latest = (await sessions.answer(caller, answer.runId)) ?? latest
    }
    return latest
  }

  async function drive(run: Run, modelOverride: string): Promise<void> {
    if (modelOverride !== "" && run.request.model === undefined) run.request.model = modelOverride
    const { turn } = run.request
    const deadline = setTimeout(() => run.stop("deadline"), host.config.runTimeoutMs)
    deadline.unref()
    stored.follow(run)
    telling.tell(run, "run.started", { message: turn.message })
    let next: string | null = null
    try {
      for (;;) {
        const outcome = await think(run)
        // The answer before it is stored belongs to the run; the messages that came meanwhile ask for another one.
        const ended = await ending.complete(run, outcome)
        next = ended.next
        if (!ended.more) break
      }
    } catch (error) {
      next = await ending.cutOff(run, await outcomes.of(run, error))
    } finally {
      clearTimeout(deadline)
      stored.forget(run)
      runs.delete(run.id)
    }
    host.log.debug({ ...run.named, ms: Date.now() - run.startedAt.getTime() }, "run ended")
    if (next !== null) void resume(run.caller, next)
  }

  /** A queued run whose turn has come: it waits on this node, with somebody who asked for it. */
  async function resume(caller: Caller, runId: string): Promise<void> {
    try {
      const resumed = await patiently(() => sessions.resume(caller, runId))
      if (!resumed) return
      const run = runs.get(resumed.runId)
      if (run) queued.delete(run)
      const agent = run?.request.agent ?? (await agents.resolve(caller, resumed.turn.agentKey))
      if (!agent) return
      const present = run ?? new Run(caller, { agent, turn: resumed.turn, runId: resumed.runId, stream: true, instructions: [] })
      runs.set(present.id, present)
      present.seat(resumed, host.config.maxHistoryChars)
      await drive(present, resumed.model)
    } catch (err) {
      host.log.error({ err, run: runId, tenant: caller.tenantId }, "queued run not started")
    }
  }

  /** Ends a run whatever it waits for: a model, a tool, or its turn. */
  function stop(run: Run, reason: EndReason): void {
    run.stop(reason)
    if (queued.delete(run)) void dismiss(run)
  }

  async function dismiss(run: Run): Promise<void> {
    await ending.cutOff(run, await outcomes.of(run, undefined))
    runs.delete(run.id)
  }

  host.events.subscribe("chat.injected", ({ runId }: { runId: string }) => {
    const run = runs.get(runId)
    if (run) run.hasInjected = true
  })
  host.events.subscribe("chat.aborting", ({ runId }: { runId: string }) => stopById(runId, "cancelled"))
  host.events.subscribe("sessions.turn_ready", ({ runId, node }: { runId: string; node: string }) => {
    const run = runs.get(runId)
    if (node === host.node.id && run) void resume(run.caller, runId)
  })
  // A run of a gateway that is gone: those who listen here are told that it will not go on.
  host.events.subscribe("sessions.interrupted", ({ runId, sessionKey, agentKey, userId, channel, chatId }: Record<string, string>, { tenantId }) => {
    const caller: Caller = { tenantId, tenantSlug: "", userId: userId as string, role: "viewer", scopes: [], locale: "en", via: "system" }
    stopById(runId as string, "interrupted")
    void host.describe(host.fail("run_interrupted", {}), caller.locale).then((error) => {
      host.events.publish(caller, "agent", { type: "run.failed", agentId: agentKey, runId, payload: { error }, userId, channel, chatId, sessionKey }, { userId })
    })
  })

  function stopById(runId: string, reason: EndReason): void {
    const run = runs.get(runId)
    if (run) stop(run, reason)
  }

  return {
    start,
    stop,
    /** The run of that id on this node. */
    get: (runId: string): Run | undefined => runs.get(runId),
    abort(caller: Caller, runId: string): void {
      if (runs.has(runId)) stopById(runId, "cancelled")
      else host.events.publish(caller, "chat.aborting", { runId })
    },
    running: (caller: Caller): string[] => [...new Set([...runs.values()].filter((run) => run.caller.tenantId === caller.tenantId).map((run) => run.request.agent.key))],
    stored,
    /** No new runs; those under way may end until the signal does, and are interrupted then. */
    async drain(signal: AbortSignal): Promise<void> {
      draining = true
      const ended = Promise.all([...runs.values()].map((run) => run.done))
      await Promise.race([ended, new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })))])
      for (const run of runs.values()) stop(run, "interrupted")
      await Promise.race([Promise.all([...runs.values()].map((run) => run.done)), new Promise((resolve) => setTimeout(resolve, 3_000).unref())])
    },
  }
}
export type Engine = ReturnType<typeof createEngine>
