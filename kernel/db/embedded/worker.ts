import { parentPort, workerData } from "node:worker_threads"
import { PGlite } from "@electric-sql/pglite"
import { extensions } from "./extensions.ts"
import { makeFolder } from "./folder.ts"

// PostgreSQL as WebAssembly, in a thread of its own: it cannot cancel a query, and would freeze every stream of the gateway while one runs.

/** Bytes of the protocol, and which of the gateway's connections they belong to: an answer that comes after its connection was given up is nobody's. */
export interface Message {
  connection: number
  bytes: Uint8Array<ArrayBuffer>
}

const { folder, template } = workerData as { folder: string; template: string | undefined }
if (!parentPort) throw new Error("this file runs as a worker")
const port = parentPort

/** Of the browser's types, which are not here. */
interface MemorySize {
  initial: number
  maximum?: number
}
declare const WebAssembly: { Memory: new (size: MemorySize) => object }

/** PGlite would let one statement take 2 GiB of the gateway's memory; this is 768 MiB, in pages of 64 KiB. A statement that needs more fails by itself. */
const mostPages = 12_288
WebAssembly.Memory = class extends WebAssembly.Memory {
  constructor({ initial, maximum = mostPages }: MemorySize) {
    super({ initial, maximum: Math.min(maximum, mostPages) })
  }
}

/** A new folder's own setting is 128 MiB, all of which PGlite touches at the start. What is not in here is in the system's cache of files. */
const startParams = [...PGlite.defaultStartParams, "-c", "shared_buffers=32MB"]

await makeFolder(folder, template)
const db = await PGlite.create({ dataDir: folder, extensions, startParams })
port.postMessage("ready")

let turn: Promise<unknown> = Promise.resolve()
port.on("message", (message: Message | "close") => {
  turn = turn.then(() => (message === "close" ? close() : answer(message)))
})

async function answer({ connection, bytes }: Message): Promise<void> {
  const reply = await db.execProtocolRaw(bytes)
  // The database may keep a larger buffer of which this is a part; only a copy can be handed over then.
  const mine = (reply.byteLength === reply.buffer.byteLength ? reply : reply.slice()) as Uint8Array<ArrayBuffer>
  port.postMessage({ connection, bytes: mine } satisfies Message, [mine.buffer])
}

async function close(): Promise<void> {
  await db.close()
  process.exit(0)
}
