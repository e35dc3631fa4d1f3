import { parentPort, workerData } from "node:worker_threads"
import { PGlite } from "@electric-sql/pglite"
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm"
import { unaccent } from "@electric-sql/pglite/contrib/unaccent"
import { vector } from "@electric-sql/pglite-pgvector"
import { readFileSync } from "node:fs"

// PostgreSQL as WebAssembly, in a thread of its own: it cannot cancel a query, and would freeze every stream of the gateway while one runs.

export interface Ask {
  id: number
  text: string
  values: unknown[] | undefined
  /** True: a text of several statements; the rows of all of them come back. */
  script: boolean
}
export type Told =
  | { kind: "ready" }
  | { kind: "result"; id: number; rows: Record<string, unknown>[]; fields: { name: string; dataTypeID: number }[]; affected: number }
  | { kind: "error"; id: number; message: string; code?: string; detail?: string; constraint?: string; table?: string; column?: string }

const { folder, template } = workerData as { folder: string; template: string | undefined }
if (!parentPort) throw new Error("this file runs as a worker")
const port = parentPort
const int8 = 20
const numeric = 1700
const timestamptz = 1184

const db = await PGlite.create({
  dataDir: folder,
  loadDataDir: template === undefined ? undefined : new Blob([readFileSync(template)]),
  extensions: { vector, pg_trgm, unaccent },
  parsers: { [int8]: Number, [numeric]: Number, [timestamptz]: (text) => new Date(text).toISOString() },
})
port.postMessage({ kind: "ready" } satisfies Told)

port.on("message", (ask: Ask | "close") => {
  if (ask === "close") {
    void db.close().then(() => process.exit(0))
    return
  }
  if (ask.script) {
    db.exec(ask.text).then(
      (results) => port.postMessage({ kind: "result", id: ask.id, rows: results.flatMap(({ rows }) => rows), fields: [], affected: 0 } satisfies Told),
      (error: Error) => port.postMessage({ kind: "error", id: ask.id, message: error.message } satisfies Told),
    )
    return
  }
  // Without values the protocol is the extended one all the same, which takes one statement only.
  db.query<Record<string, unknown>>(ask.text, ask.values ?? []).then(
    ({ rows, fields, affectedRows }) => port.postMessage({ kind: "result", id: ask.id, rows, fields, affected: affectedRows ?? rows.length } satisfies Told),
    (error: Error & Partial<Extract<Told, { kind: "error" }>>) => {
      const { code, detail, constraint, table, column } = error
      port.postMessage({ kind: "error", id: ask.id, message: error.message, code, detail, constraint, table, column } satisfies Told)
    },
  )
})
