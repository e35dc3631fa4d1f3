import { randomBytes } from "node:crypto"
import pg from "pg"
import { serverConfig } from "../../db/server.ts"
import type { Finding } from "../../doctor.ts"
import { loginConfig, refusalOf, verifierOf } from "./login.ts"

/**
 * For `doctor`: whether plugins in a sandbox get a login of their own on this server. What lets a role in stands in places that only a superuser reads, or in a pooler; so it is tried, with a role that is gone afterwards.
 * @example const finding = await examinePluginLogin(databaseUrl)   // { ok: false, what: "…", remedy: "…" }
 */
export async function examinePluginLogin(databaseUrl: string): Promise<Finding> {
  const name = `plugboard_doctor_${randomBytes(6).toString("hex")}`
  const password = randomBytes(32).toString("base64url")
  const client = new pg.Client(serverConfig(databaseUrl))
  client.on("error", () => undefined)
  try {
    await client.connect()
    await client.query(`CREATE ROLE ${name} LOGIN PASSWORD '${verifierOf(password)}'`)
    try {
      return findingOf(client, (await refusalOf(loginConfig(databaseUrl, name, password)))?.reason)
    } finally {
      await client.query(`DROP ROLE ${name}`)
    }
  } catch (error) {
    return { ok: false, what: "logins of plugins in a sandbox", remedy: `They could not be tried: ${(error as Error).message}.` }
  } finally {
    await client.end().catch(() => undefined)
  }
}

function findingOf({ database }: pg.Client, refused: string | undefined): Finding {
  if (refused === undefined) return { ok: true, what: "plugins in a sandbox log in to the database as themselves" }
  return {
    ok: false,
    what: `plugins in a sandbox use connections of the gateway, where only the check of their SQL keeps them in their role (${refused})`,
    remedy: `Let roles whose names begin with plugboard_ log in with a password: in pg_hba.conf \`host ${database} all <address of the gateway> scram-sha-256\`, or past a pooler by a DATABASE_URL to the server itself.`,
  }
}
