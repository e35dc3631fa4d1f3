import { setTimeout as sleep } from "node:timers/promises"
import { type Caller, type Host, Sessions, type SseFrame } from "@plugboard/sdk"
import type { Engine } from "./engine.ts"
import type { manifest } from "./manifest.ts"
import type { Outcomes } from "./outcome.ts"
import type { PassedStream } from "./passed-stream.ts"
import type { EndReason, Run } from "./run.ts"
import { createStoredStreams } from "./stored-streams.ts"

/** Streams that a client may come back to. More would hold the answers of clients that never do. */
const most = 1_000
/** How often a stream of another node is looked at, in ms; after so many looks without anything new, whether its run goes on, and for how long the last words of one that has ended are waited for. */
const lookMs = 100
const quietLooks = 20
const lastWordsMs = 10_000

type Frames = AsyncIterable<readonly SseFrame[]>
interface Kept {
  id: string
  caller: Caller
  /** All frames, from the first on; the same each time. */
  frames: () => Frames
  ended: () => boolean
  stop: (reason: EndReason) => void
  /** Resolves once clients may come back to any node, so that nobody has a number before. */
  known: Promise<void>
  listeners: number
  timer: NodeJS.Timeout | undefined
}

/**
 * Streams that outlive their connection, for clients that ask for numbers. A run (or a provider's call without one) that nobody listens to goes on for a while and ends then, as it would at once without numbers;
 * one that has ended can be read for as long. On its own node it is read from memory, on another as it was written down there.
 */
export function createRejoining(host: Host<typeof manifest>, engine: Engine, outcomes: Outcomes) {
  const sessions = host.use(Sessions)
  const stored = createStoredStreams(host)
  const kept = new Map<string, Kept>()

  function later(entry: Kept): void {
    clearTimeout(entry.timer)
    entry.timer = setTimeout(() => {
      kept.delete(entry.id)
      entry.stop("cancelled")
      if (entry.ended()) stored.drop(entry.caller, entry.id).catch((err: unknown) => host.log.debug({ err, run: entry.id }, "stored stream not dropped"))
    }, host.config.rejoinMs)
    entry.timer.unref()
  }

  /** To make room. With nobody listening its run would go on for nobody. */
  function forget(entry: Kept): void {
    clearTimeout(entry.timer)
    kept.delete(entry.id)
    if (entry.listeners === 0) entry.stop("cancelled")
  }

  async function* numbered(entry: Kept, after: number): Frames {
    let number = 0
    await entry.known
    for await (const batch of entry.frames()) {
      const fresh = batch.map((frame): SseFrame => ({ ...frame, id: `${entry.id}.${number++}` })).slice(Math.max(0, after + 1 - (number - batch.length)))
      if (fresh.length > 0) yield fresh
    }
  }

  function listen(entry: Kept, after: number, signal: AbortSignal): Frames {
    entry.listeners += 1
    clearTimeout(entry.timer)
    const leave = () => {
      entry.listeners -= 1
      if (signal.reason?.message === "the gateway stops") entry.stop("interrupted")
      else if (entry.listeners === 0 && kept.has(entry.id)) later(entry)
      else if (entry.listeners === 0) entry.stop("cancelled")
    }
    if (signal.aborted) leave()
    else signal.addEventListener("abort", leave, { once: true })
    return numbered(entry, after)
  }

  const unknown = (runId: string) => host.fail("unknown_run", { run: runId })
  /** A client that listens elsewhere counts as one that will come back. */
  host.events.subscribe("chat.rejoined", ({ runId }: { runId: string }, { tenantId }) => {
    const entry = kept.get(runId)
    if (entry && entry.listeners === 0 && entry.caller.tenantId === tenantId) later(entry)
  })

  async function* elsewhere(caller: Caller, runId: string, after: number, first: NonNullable<Awaited<ReturnType<typeof stored.read>>>, signal: AbortSignal): Frames {
    let last = after
    let quiet = 0
    let told = 0
    let heardAt = performance.now()
    for (let found: typeof first | null = first; ; found = await stored.read(caller, runId, last)) {
      const { frames, ending } = found ?? { frames: [], ending: null }
      if (frames.length > 0) yield frames.map((data): SseFrame => ({ data, id: `${runId}.${++last}` }))
      if (ending === "whole") return
      quiet = frames.length > 0 ? 0 : quiet + 1
      if (frames.length > 0) heardAt = performance.now()
      const answer = ending === "broken" || quiet >= quietLooks ? await sessions.answer(caller, runId) : undefined
      // A call without a run: of that nobody knows more than what it has said.
      if (answer === null && (ending === "broken" || performance.now() - heardAt > host.config.runTimeoutMs)) throw host.fail("run_interrupted", {}, { retryAfterMs: 1_000 })
      // A run that has ended, and whose last words nobody writes down: its node is gone.
      if (answer && answer.status !== "running" && (ending === "broken" || answer.status !== "completed" || performance.now() - heardAt > lastWordsMs))
        throw outcomes.failureIn(answer)
      if (answer) quiet = 0
      if (performance.now() - told > host.config.rejoinMs / 3) {
        told = performance.now()
        host.events.publish(caller, "chat.rejoined", { runId })
      }
      await sleep(lookMs, undefined, { signal })
    }
  }

  function begin(given: Pick<Kept, "id" | "caller" | "frames" | "ended" | "stop">, done: Promise<unknown>, signal: AbortSignal): Frames {
    const entry: Kept = { ...given, known: stored.follow(given.caller, given.id, given.frames()), listeners: 0, timer: undefined }
    kept.set(entry.id, entry)
    if (kept.size > most) forget(kept.values().next().value as Kept)
    // Those who were told the end need it no more, but nobody knows whether they were.
    void done.then(() => later(entry))
    return listen(entry, -1, signal)
  }

  return {
    /** The frames of a new run, with numbers, for as long as `signal` lasts and for those who come back. */
    begin: (run: Run, frames: () => Frames, signal: AbortSignal): Frames =>
      begin({ id: run.id, caller: run.caller, frames, ended: () => run.log.ended, stop: (reason) => engine.stop(run, reason) }, run.done, signal),
    /** The same of a provider's stream without a run. */
    beginPassed: (caller: Caller, stream: PassedStream, signal: AbortSignal): Frames =>
      begin({ id: stream.head.runId, caller, frames: () => stream.frames(), ended: () => stream.ended, stop: () => stream.stop() }, stream.done, signal),
    /** What stands behind the frame of that id; 404 also for another user's. */
    async rejoin(caller: Caller, lastId: string, signal: AbortSignal): Promise<{ runId: string; frames: Frames }> {
      const [, runId = "", number = ""] = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,9})$/.exec(lastId) ?? []
      if (runId === "") throw unknown(lastId.slice(0, 100))
      const entry = kept.get(runId)
      if (!entry) {
        const found = await stored.read(caller, runId, Number(number))
        if (!found) throw unknown(runId)
        return { runId, frames: elsewhere(caller, runId, Number(number), found, signal) }
      }
      const { tenantId, userId } = entry.caller
      if (tenantId !== caller.tenantId || userId !== caller.userId) throw unknown(runId)
      return { runId, frames: listen(entry, Number(number), signal) }
    },
    async stop(): Promise<void> {
      for (const { timer } of kept.values()) clearTimeout(timer)
      kept.clear()
      await stored.stop()
    },
  }
}
export type Rejoining = ReturnType<typeof createRejoining>
