import type { Duplex } from "node:stream"
import { Worker } from "node:worker_threads"
import type { GatewayLog } from "../../log.ts"
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

/** The embedded database in its thread. When the thread ends by itself, or by `restart`, another one reopens the folder: that takes a fraction of a second. */
export async function startThread(folder: string, log: GatewayLog): Promise<DatabaseThread> {
  const file = new URL(`./worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)
  let stream: ProtocolStream | undefined
  let connection = 0
  let failures = 0
  let closing = false
  let worker: Worker
  let ready = spawn()

  function spawn(): Promise<void> {
    const made = new Worker(file, { workerData: { folder } })
    worker = made
    const up = new Promise<void>((resolve, reject) => {
      made.on("message", (message: Message | "ready") => {
        if (message === "ready") {
          failures = 0
          return resolve()
        }
        if (message.connection === connection) stream?.receive(message.bytes)
      })
      made.once("error", (error) => {
        log.error({ err: error }, "database worker failed")
        reject(error)
      })
      made.once("exit", () => {
        reject(new Error("database worker ended"))
        stream?.destroy(new Error("database worker ended"))
        if (!closing) again()
      })
    })
    up.catch(() => undefined)
    return up
  }

  /** The folder may be locked or full for a while: later starts come slower. */
  function again(): void {
    const waitMs = patience[Math.min(failures, patience.length - 1)] as number
    failures += 1
    const waited = Promise.withResolvers<void>()
    ready = waited.promise
    ready.catch(() => undefined)
    setTimeout(() => (closing ? waited.reject(new Error("database worker closes")) : spawn().then(waited.resolve, waited.reject)), waitMs)
  }

  try {
    await ready
  } catch (error) {
    closing = true
    throw error
  }
  return {
    connect() {
      stream?.destroy()
      const mine = ++connection
      stream = new ProtocolStream(
        () => ready,
        (bytes) => worker.postMessage({ connection: mine, bytes } satisfies Message, [bytes.buffer]),
      )
      return stream
    },
    restart() {
      log.warn({}, "statement past its limit; the embedded database starts again")
      void worker.terminate()
    },
    async close() {
      closing = true
      const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()))
      worker.postMessage("close")
      const late = setTimeout(() => void worker.terminate(), 5_000)
      await ended
      clearTimeout(late)
    },
  }
}
