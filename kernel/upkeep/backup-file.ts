import { createHash } from "node:crypto"
import { createReadStream, createWriteStream } from "node:fs"
import { rename, rm } from "node:fs/promises"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createGunzip, createGzip } from "node:zlib"
import { fail } from "../failures.ts"

/** First line of a backup. */
export interface BackupHeader {
  format: "plugboard-backup"
  /** Of the format. */
  version: 1
  /** Of the gateway that wrote it. */
  gateway: string
  made_at: string
  database: "embedded" | "server"
  migrations: { source: string; file: string; checksum: string }[]
  /** Ids of the keys that the node had which wrote it. */
  encryption_keys: string[]
  /** The keys themselves, in hex, the newest first; only when somebody has asked for it. */
  secret_keys?: string[]
}

/** A table begins, with its columns, or a row of the last one. */
export type Entry = { table: TableEntry } | { row: string }
export interface TableEntry {
  schema: string
  name: string
  columns: string[]
  /** Of JSON: their values are texts in the row, so that null and `null` stay what they are. */
  json: string[]
}

/** Gzip of lines; the last one holds the hash of all before, so that a file that was cut is known for one. It takes its place when it is whole. */
export async function writeBackup(path: string, header: BackupHeader, entries: AsyncIterable<Entry>): Promise<{ tables: number; rows: number }> {
  const aside = `${path}.part`
  const counts = { tables: 0, rows: 0 }
  async function* lines() {
    const seen = createHash("sha256")
    const line = (text: string) => {
      seen.update(text)
      return text
    }
    yield line(`${JSON.stringify(header)}\n`)
    for await (const entry of entries) {
      if ("table" in entry) counts.tables += 1
      else counts.rows += 1
      yield line("table" in entry ? `T${JSON.stringify(entry.table)}\n` : `R${entry.row}\n`)
    }
    yield `E${JSON.stringify({ ...counts, sha256: seen.digest("hex") })}\n`
  }
  try {
    await pipeline(Readable.from(lines()), createGzip({ level: 4 }), createWriteStream(aside, { mode: 0o600, flush: true }))
    await rename(aside, path)
  } catch (error) {
    await rm(aside, { force: true })
    throw error
  }
  return counts
}

export async function readHeader(path: string): Promise<BackupHeader> {
  for await (const line of linesOf(path)) {
    const header = parsed(line) as BackupHeader | undefined
    if (header?.format !== "plugboard-backup" || header.version !== 1) break
    return header
  }
  throw broken(path, "it is no backup that this version reads")
}

/** Every table and row, in the order in which they were written. Fails at its end when it is not the end that was written. */
export async function* readBackup(path: string): AsyncGenerator<Entry> {
  const seen = createHash("sha256")
  let ended = false
  for await (const line of linesOf(path)) {
    const body = line.slice(1)
    if (line.startsWith("E")) {
      ended = (parsed(body) as { sha256?: unknown } | undefined)?.sha256 === seen.digest("hex")
      break
    }
    seen.update(`${line}\n`)
    if (line.startsWith("T")) yield { table: parsed(body) as TableEntry }
    else if (line.startsWith("R")) yield { row: body }
  }
  if (!ended) throw broken(path, "its end is missing, or something in it was changed")
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const bytes = createReadStream(path)
  const text = createGunzip().setEncoding("utf8")
  bytes.once("error", (error) => text.destroy(error)).pipe(text as NodeJS.ReadWriteStream)
  let begun: string[] = []
  try {
    for await (const chunk of text as AsyncIterable<string>) {
      const [first = "", ...others] = chunk.split("\n")
      begun.push(first)
      for (const next of others) {
        yield begun.join("")
        begun = [next]
      }
    }
  } catch (error) {
    // What was cut off, or was never zipped, breaks here.
    throw broken(path, (error as Error).message)
  } finally {
    bytes.destroy()
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function broken(path: string, reason: string): Error {
  return fail("backup_broken", { file: path, reason })
}
