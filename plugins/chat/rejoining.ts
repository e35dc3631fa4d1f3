import type { Caller, Host, SseFrame } from "@plugboard/sdk"
import type { Engine } from "./engine.ts"
import type { manifest } from "./manifest.ts"
import type { Run } from "./run.ts"

/** Streams that a client may come back to. More would hold the answers of clients that never do. */
const most = 1_000

interface Kept {
  run: Run
  /** All frames of the run's stream, from the first on; the same each time. */
  frames: () => AsyncIterable<readonly SseFrame[]>
  listeners: number
  timer: NodeJS.Timeout | undefined
}

/**
 * Streams that outlive their connection, for clients that ask for numbers. A run that nobody listens to goes on for a while and ends then, as it would at once without numbers;
 * one that has ended can be read for as long.
 */
export function createRejoining(host: Host<typeof manifest>, engine: Engine) {
  const kept = new Map<string, Kept>()

  function later(entry: Kept): void {
    clearTimeout(entry.timer)
    entry.timer = setTimeout(() => {
      kept.delete(entry.run.id)
      engine.stop(entry.run, "cancelled")
    }, host.config.rejoinMs)
    entry.timer.unref()
  }

  /** To make room. With nobody listening its run would go on for nobody. */
  function forget(entry: Kept): void {
    clearTimeout(entry.timer)
    kept.delete(entry.run.id)
    if (entry.listeners === 0) engine.stop(entry.run, "cancelled")
  }

  async function* numbered(entry: Kept, after: number): AsyncIterable<readonly SseFrame[]> {
    let number = 0
    for await (const batch of entry.frames()) {
      const fresh = batch.map((frame): SseFrame => ({ ...frame, id: `${entry.run.id}.${number++}` })).slice(Math.max(0, after + 1 - (number - batch.length)))
      if (fresh.length > 0) yield fresh
    }
  }

  function listen(entry: Kept, after: number, signal: AbortSignal): AsyncIterable<readonly SseFrame[]> {
    entry.listeners += 1
    clearTimeout(entry.timer)
    const leave = () => {
      entry.listeners -= 1
      if (signal.reason?.message === "the gateway stops") engine.stop(entry.run, "interrupted")
      else if (entry.listeners === 0 && kept.has(entry.run.id)) later(entry)
      else if (entry.listeners === 0) engine.stop(entry.run, "cancelled")
    }
    if (signal.aborted) leave()
    else signal.addEventListener("abort", leave, { once: true })
    return numbered(entry, after)
  }

  return {
    /** The frames of a new run, with numbers, for as long as `signal` lasts and for those who come back. */
    begin(run: Run, frames: () => AsyncIterable<readonly SseFrame[]>, signal: AbortSignal): AsyncIterable<readonly SseFrame[]> {
      const entry: Kept = { run, frames, listeners: 0, timer: undefined }
      kept.set(run.id, entry)
      if (kept.size > most) forget(kept.values().next().value as Kept)
      // Those who were told the end need it no more, but nobody knows whether they were.
      void run.done.then(() => later(entry))
      return listen(entry, -1, signal)
    },
    /** What stands behind the frame of that id; 404 also for another user's. */
    rejoin(caller: Caller, lastId: string, signal: AbortSignal): { run: Run; frames: AsyncIterable<readonly SseFrame[]> } {
      const [, runId = "", number = ""] = /^([0-9a-f-]{36})\.(\d{1,9})$/.exec(lastId) ?? []
      const entry = kept.get(runId)
      const { tenantId, userId } = entry?.run.caller ?? {}
      if (!entry || tenantId !== caller.tenantId || userId !== caller.userId) throw host.fail("unknown_run", { run: runId || lastId.slice(0, 100) })
      return { run: entry.run, frames: listen(entry, Number(number), signal) }
    },
    stop(): void {
      for (const { timer } of kept.values()) clearTimeout(timer)
      kept.clear()
    },
  }
}
export type Rejoining = ReturnType<typeof createRejoining>
