import { rm } from "node:fs/promises"
import { dirname } from "node:path"
import { createInterface } from "node:readline/promises"
import type { Command } from "commander"
import { loadAddress, loadConfig } from "../config.ts"
import { openDatabase } from "../db/open.ts"
import { fail } from "../failures.ts"
import { KeyRing, keyIdOf, keysIn, writeKeys } from "../key-ring.ts"
import { createLog, Redactor } from "../log.ts"
import { findGateway } from "./remote-gateway.ts"

/** `plugboard backup FILE` and `plugboard restore FILE`. */
export function registerBackup(program: Command): void {
  program
    .command("backup <file>")
    .description("Write everything that this gateway keeps into a file, while it serves. The encryption key is not in it.")
    .option("--with-key", "put the encryption key into it as well: whoever has the file can then read every stored secret")
    .option("--yes", "do not ask whether that is meant")
    .action(backup)
  program
    .command("restore <file>")
    .description("Put a backup in the place of an empty database, embedded or on a server. No gateway may run on it.")
    .option("--force", "also when the database is not empty: what it holds is gone then")
    .action(restoreFile)
}

async function backup(file: string, options: { withKey?: boolean; yes?: boolean }): Promise<void> {
  if (options.withKey && !options.yes) await demandConsent()
  const config = loadConfig(process.env)
  const running = config.databaseUrl === undefined ? await findGateway(loadAddress(process.env)) : undefined
  const snapshot = running && (await running<{ folder: string | null }>("POST", "/v1/backup/snapshot")).folder
  try {
    const db = await open({ ...config, ...(snapshot && { dataDir: snapshot }) })
    try {
      const { backUp } = await import("../upkeep/backup.ts")
      const { tables, rows, left } = await backUp(db, file, new KeyRing(config.encryption), options.withKey ?? false)
      const key = options.withKey
        ? "The encryption key is in it: keep it as you keep the key."
        : "The encryption key is not in it: keep that as well, or no stored secret can be opened after a restore."
      const without = left.length > 0 ? `Left out, since their packages are gone: ${left.join(", ")}.\n` : ""
      process.stdout.write(`${file}: ${tables} tables, ${rows} rows.\n${without}${key}\n`)
    } finally {
      await db.close()
    }
  } finally {
    if (snapshot) await rm(dirname(snapshot), { recursive: true, force: true })
  }
}

async function restoreFile(file: string, { force = false }: { force?: boolean }): Promise<void> {
  const config = loadConfig(process.env)
  if (config.databaseUrl !== undefined && (await findGateway(loadAddress(process.env)))) throw fail("restore_running")
  const db = await open(config)
  try {
    const { restore } = await import("../upkeep/restore.ts")
    const { header, tables, rows } = await restore(db, file, force)
    const ring = new KeyRing(config.encryption)
    addKeys(ring, header.secret_keys ?? [])
    const missing = header.encryption_keys.filter((id) => !ring.keys.some((key) => key.id === id))
    process.stdout.write(`${tables} tables, ${rows} rows, as they were at ${header.made_at}.\n`)
    if (missing.length > 0)
      process.stdout.write(
        `The encryption key ${missing.join(", ")} is not here, and no secret that it seals can be opened: set PLUGBOARD_ENCRYPTION_KEY to it, or put encryption.key of the old data folder into ${config.dataDir}.\n`,
      )
  } finally {
    await db.close()
  }
}

/** Before the ones that are there: nothing of this database is sealed with those. */
function addKeys(ring: KeyRing, given: readonly string[]): void {
  const { file } = ring.source
  const keys = given.map((key) => Buffer.from(key, "hex")).filter((key) => !ring.keys.some(({ id }) => id === keyIdOf(key)))
  if (keys.length === 0) return
  if (file === undefined) process.stdout.write("The backup brings its encryption key, and this node's comes from PLUGBOARD_ENCRYPTION_KEY. Set that to the backup's.\n")
  else writeKeys(file, [...keys, ...keysIn(file)])
  ring.reload()
}

async function open(config: ReturnType<typeof loadConfig>) {
  return openDatabase({ config, log: createLog({ level: "warn", redactor: new Redactor(), write: (line) => process.stderr.write(line) }), checkRows: false })
}

async function demandConsent(): Promise<void> {
  if (!process.stdin.isTTY) throw fail("backup_consent")
  const asked = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await asked.question("Whoever has this file can read every stored secret. Put the encryption key into it? Type yes: ")
  asked.close()
  if (answer.trim() !== "yes") throw fail("backup_consent")
}
