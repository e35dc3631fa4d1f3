import { execFileSync } from "node:child_process"
import { createServer } from "node:net"
import pg from "pg"

// For tests that do to a database server what its administrator can do.

/** The server that the tests were given; undefined: they run on the embedded database. */
export const server = process.env.TEST_DATABASE_URL

export async function asAdministrator<T>(work: (client: pg.Client) => Promise<T>, url = server): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

export function databaseOf(url: string | undefined): string {
  return new URL(url ?? "").pathname.slice(1)
}

/** That server, with another database in its path. */
export function urlOf(database: string): URL {
  const url = new URL(server ?? "")
  url.pathname = `/${database}`
  return url
}

/** Ends every connection to that database. */
export function terminateAll(url: string | undefined) {
  return asAdministrator((client) => client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()", [databaseOf(url)]))
}

/** Programs of PostgreSQL refuse to run as root. */
export function asPostgres(): { uid?: number; gid?: number } {
  const idOf = (which: string) => Number(execFileSync("id", [which, "postgres"]))
  return process.getuid?.() === 0 ? { uid: idOf("-u"), gid: idOf("-g") } : {}
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const listening = createServer().listen(0, "127.0.0.1", () => {
      const { port } = listening.address() as { port: number }
      listening.close(() => resolve(port))
    })
  })
}
