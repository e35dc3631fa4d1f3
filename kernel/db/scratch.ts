import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"

/** A database for one test and a data folder beside it: embedded in that folder, or with TEST_DATABASE_URL a fresh one on that server. */
export interface Scratch {
  readonly databaseUrl: string | undefined
  readonly dataDir: string
  drop(): Promise<void>
}

export async function scratchDatabase(): Promise<Scratch> {
  const dataDir = mkdtempSync(join(tmpdir(), "plugboard-test-"))
  const server = process.env.TEST_DATABASE_URL
  const removeFolder = () => rmSync(dataDir, { recursive: true, force: true })
  if (!server) return { databaseUrl: undefined, dataDir, drop: async () => removeFolder() }
  const name = `plugboard_test_${randomBytes(6).toString("hex")}`
  await once(server, `CREATE DATABASE ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return {
    databaseUrl: url.href,
    dataDir,
    async drop() {
      const [found] = await once<{ oid: number }>(server, `SELECT oid FROM pg_database WHERE datname = '${name}'`)
      await once(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      // Roles belong to the whole server and would stay behind.
      const roles = found ? await once<{ name: string }>(server, `SELECT quote_ident(rolname) AS name FROM pg_roles WHERE rolname LIKE 'plugboard\\_${found.oid}\\_%'`) : []
      if (roles.length > 0) await once(server, `DROP ROLE ${roles.map(({ name }) => name).join(", ")}`)
      removeFolder()
    },
  }
}

/** Names are made here and hold letters and digits only; CREATE DATABASE takes no parameters. */
async function once<T extends pg.QueryResultRow>(server: string, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    return (await client.query<T>(text)).rows
  } finally {
    await client.end()
  }
}
