import type pg from "pg"
import { rowTypes } from "./row-types.ts"

/** What pg's types leave out of a connection. Source: pg 8.23, lib/connection.js. */
interface Connection {
  parsedStatements: Record<string, string | undefined>
  submittedNamedStatements: Record<string, string | undefined>
  stream: { cork(): void; uncork(): void }
  parse(statement: { text: string; name: string }): void
  bind(statement: { statement: string; values: readonly unknown[]; valueMapper(value: unknown): string | null }): void
  describe(what: { type: "P"; name: string }): void
  execute(): void
  sync(): void
  sendCopyFail(reason: string): void
}

interface Column {
  name: string
  parse(text: string): unknown
}

type Done = (error: Error | null, result: Pick<pg.QueryResult, "command" | "rowCount" | "rows">) => void

/** Columns of a connection's statements. The server refuses a plan whose columns have changed, so what it described once holds. */
const described = new WeakMap<Connection, Map<string, readonly Column[]>>()

/**
 * A prepared statement as pg submits it, with what pg finds out each time known from the first: pg's own query asks for the columns, looks for their parsers and copies its options
 * whenever it runs, which is most of what a statement costs here. For values that `fits` says are plain.
 */
export class NamedQuery {
  readonly name: string
  readonly text: string
  callback: Done
  /** Read by pg, which ends the wait. Milliseconds. */
  readonly query_timeout: number
  readonly #values: readonly unknown[]
  readonly #rows: unknown[] = []
  #connection: Connection | undefined
  #columns: readonly Column[] | undefined
  #tag = ""
  #broken: Error | undefined

  constructor(name: string, text: string, values: readonly unknown[], timeoutMs: number, done: Done) {
    this.name = name
    this.text = text
    this.#values = values
    this.query_timeout = timeoutMs
    this.callback = done
  }

  static fits(values: readonly unknown[]): boolean {
    return values.every((value) => value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
  }

  submit(connection: Connection): Error | null {
    const { name, text } = this
    this.#connection = connection
    const known = connection.parsedStatements[name] ?? connection.submittedNamedStatements[name]
    if (known !== undefined && known !== text) return new Error(`the statement ${name} is another one already`)
    this.#columns = known === undefined ? undefined : described.get(connection)?.get(name)
    connection.stream.cork()
    try {
      if (known === undefined) {
        connection.parse({ text, name })
        connection.submittedNamedStatements[name] = text
      }
      connection.bind({ statement: name, values: this.#values, valueMapper: textOf })
      if (!this.#columns) connection.describe({ type: "P", name: "" })
      connection.execute()
      connection.sync()
    } finally {
      connection.stream.uncork()
    }
    return null
  }

  handleRowDescription({ fields }: { fields: readonly { name: string; dataTypeID: number }[] }): void {
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, parse: rowTypes.getTypeParser(dataTypeID, "text") as Column["parse"] }))
    this.#remember(this.#columns)
  }

  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    if (this.#broken) return
    const row: Record<string, unknown> = {}
    try {
      for (const [at, { name, parse }] of (this.#columns ?? []).entries()) {
        const text = fields[at]
        row[name] = text === null || text === undefined ? null : parse(text)
      }
      this.#rows.push(row)
    } catch (error) {
      this.#broken = error as Error
    }
  }

  handleCommandComplete({ text }: { text: string }): void {
    this.#tag = text
    // Of a statement without rows, which the server describes by nothing.
    if (!this.#columns) this.#remember([])
  }

  handleEmptyQuery(): void {}

  handleCopyInResponse(connection: Connection): void {
    connection.sendCopyFail("nothing is copied here")
  }

  handleError(error: Error): void {
    this.callback(error, nothing)
  }

  handleReadyForQuery(): void {
    const [command = "", ...numbers] = this.#tag.split(" ")
    if (this.#broken) this.callback(this.#broken, nothing)
    else this.callback(null, { command, rowCount: Number(numbers.at(-1) ?? 0), rows: this.#rows as never[] })
  }

  #remember(columns: readonly Column[]): void {
    const connection = this.#connection as Connection
    const all = described.get(connection) ?? new Map<string, readonly Column[]>()
    described.set(connection, all.set(this.name, columns))
  }
}

const nothing = { command: "", rowCount: 0, rows: [] }

function textOf(value: unknown): string | null {
  return value === null ? null : String(value)
}
