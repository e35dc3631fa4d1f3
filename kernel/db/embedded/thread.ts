import { Worker } from "node:worker_threads"
import type { GatewayLog } from "../../log.ts"
import type { Ask, Told } from "./worker.ts"

export interface Rows {
  rows: Record<string, unknown>[]
  fields: { name: string; dataTypeID: number }[]
  affected: number
}

export interface DatabaseThread {
  /** Rejects with the database's error (its SQLSTATE in `code`), or with "database worker …" when the thread has ended. */
  ask(text: string, values?: unknown[], script?: boolean): Promise<Rows>
  /** Called when the thread was ended and is being replaced: what was open on it is gone. */
  /** Returns the way to leave. */
  onLoss(listener: () => void): () => void
  close(): Promise<void>
}

interface Waiting {
  resolve(rows: Rows): void
  reject(error: Error): void
  timer: NodeJS.Timeout
}

/**
 * The embedded database in its thread. A statement past its limit cannot be cancelled, so it ends the thread, which reopens the folder in a fraction of a second;
 * the statements that were waiting fail as an outage.
 */
export async function startThread(options: { folder: string; template: string | undefined; statementTimeoutMs: number; log: GatewayLog }): Promise<DatabaseThread> {
  const file = new URL(`./worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)
  const losses = new Set<() => void>()
  let waiting = new Map<number, Waiting>()
  let next = 0
  let closing = false
  let { worker, ready } = spawn(options.template)

  function spawn(template: string | undefined): { worker: Worker; ready: Promise<void> } {
    const made = new Worker(file, { workerData: { folder: options.folder, template } })
    const mine = waiting
    const up = new Promise<void>((resolve, reject) => {
      made.on("message", (told: Told) => {
        if (told.kind === "ready") return resolve()
        const entry = mine.get(told.id)
        if (!entry) return
        mine.delete(told.id)
        clearTimeout(entry.timer)
        if (told.kind === "result") entry.resolve(told)
        else entry.reject(Object.assign(new Error(told.message), told))
      })
      made.once("error", (error) => {
        options.log.error({ err: error }, "database worker failed")
        reject(error)
      })
      made.once("exit", () => reject(new Error("database worker ended")))
    })
    made.once("exit", () => lose(made))
    up.catch(() => undefined)
    return { worker: made, ready: up }
  }

  function lose(ended: Worker): void {
    if (ended !== worker) return
    const lost = waiting
    waiting = new Map()
    for (const entry of lost.values()) {
      clearTimeout(entry.timer)
      entry.reject(new Error("database worker ended"))
    }
    if (closing) return
    for (const listener of [...losses]) listener()
    ;({ worker, ready } = spawn(undefined))
  }

  await ready
  return {
    onLoss(listener) {
      losses.add(listener)
      return () => losses.delete(listener)
    },
    async ask(text, values, script = false) {
      await ready
      if (closing) throw new Error("database worker closes")
      return new Promise<Rows>((resolve, reject) => {
        const id = ++next
        const timer = setTimeout(() => {
          options.log.warn({ limitMs: options.statementTimeoutMs }, "statement past its limit; the embedded database starts again")
          void worker.terminate()
        }, options.statementTimeoutMs)
        waiting.set(id, { resolve, reject, timer })
        worker.postMessage({ id, text, values, script } satisfies Ask)
      })
    },
    async close() {
      closing = true
      const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()))
      worker.postMessage("close")
      const patience = setTimeout(() => void worker.terminate(), 5_000)
      await ended
      clearTimeout(patience)
    },
  }
}
