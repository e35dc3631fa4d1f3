import pg from "pg"
import { parentOf } from "./cpu.ts"

/** Process id of the server behind a connection URI on this machine. */
export async function postmasterOf(databaseUrl: string): Promise<number | undefined> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")
  // Its own process is asked for its parent while it is there.
  const parent = parentOf(rows[0]?.pid ?? 0)
  await client.end()
  return parent > 1 ? parent : undefined
}
