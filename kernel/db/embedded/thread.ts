import type { Duplex } from "node:stream"
import { Worker } from "node:worker_threads"
import type { Log } from "@plugboard/sdk"
import { ProtocolStream } from "./stream.ts"
import type { Message } from "./worker.ts"

export interface DatabaseThread {
  /** The connection. There is one at a time: the one before it hears nothing more. */
  connect(): Duplex
  /** Ends the thread, which cannot be interrupted otherwise, and starts another on the same folder. What was open fails with "database worker ended". */
  restart(): void
  close(): Promise<void>
}

/** Waits between starts that failed, in milliseconds; the last one again and again. */
const patience = [0, 250, 1_000, 5_000]

/** The embedded database in its thread; a folder that is not there yet comes from the template. When the thread ends by itself, or by `restart`, another one reopens the folder: that takes a fraction of a second. */
export async function startThread(folder: string, template: string | undefined, log: Log): Promise<DatabaseThread> {
  const file = new URL(`./worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)
  let stream: ProtocolStream | undefined
  let connection = 0
  let failures = 0
  let closing = false
  /** Settled once the thread is ready, or gone; from the moment that one is lost it is the next one's. */
  let ready = awaited()
  let worker = spawn()

  function spawn(): Worker {
    const made = new Worker(file, { workerData: { folder, template }, execArgv: [] })
    const mine = ready
    made.on("message", (message: Message | "ready") => {
      if (message !== "ready") return message.connection === connection && stream?.receive(message.bytes)
      failures = 0
      mine.resolve()
    })
    made.once("error", (error) => log.error({ err: error }, "database worker failed"))
    made.once("exit", () => {
      lose(mine)
      if (closing) return
      // The folder may be full or held for a while: later starts come slower.
      setTimeout(respawn, patience[Math.min(failures, patience.length - 1)])
      failures += 1
    })
    return made
  }

  function respawn(): void {
    if (!closing) worker = spawn()
  }

  function lose(mine: PromiseWithResolvers<void>): void {
    if (ready !== mine) return
    const error = new Error("database worker ended")
    ready = awaited()
    mine.reject(error)
    stream?.destroy(error)
  }

  try {
    await ready.promise
  } catch (error) {
    closing = true
    throw error
  }
  return {
    connect() {
      stream?.destroy()
      const mine = ++connection
      stream = new ProtocolStream(
        () => ready.promise,
        (bytes) => worker.postMessage({ connection: mine, bytes } satisfies Message, [bytes.buffer]),
      )
      return stream
    },
    restart() {
      log.warn({}, "statement past its limits; the embedded database starts again")
      lose(ready)
      void worker.terminate()
    },
    async close() {
      closing = true
      // After its end a thread has no number; it may have ended just now.
      if (worker.threadId < 0) return
      const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()))
      worker.postMessage("close")
      const late = setTimeout(() => void worker.terminate(), 5_000)
      await ended
      clearTimeout(late)
    },
  }
}

function awaited(): PromiseWithResolvers<void> {
  const made = Promise.withResolvers<void>()
  // Nobody may be waiting for it when it fails.
  made.promise.catch(() => undefined)
  return made
}
