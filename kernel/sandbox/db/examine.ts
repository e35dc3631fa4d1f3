import { randomBytes } from "node:crypto"
import pg from "pg"
import type { Finding } from "../../command/doctor.ts"
import { serverConfig } from "../../db/server.ts"
import { loginConfig, refusalOf, verifierOf } from "./login.ts"

/**
 * For `doctor`: whether plugins in a sandbox get a login of their own on this server. What lets a role in stands in places that only a superuser reads, or in a pooler; so it is tried, with a role that is gone afterwards.
 * @example const finding = await examinePluginLogin(databaseUrl)   // { ok: true, what: "plugins: they log in to the database as themselves" }
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
    return { ok: false, what: "plugins: logins to the database of their own", remedy: `They could not be tried: ${(error as Error).message}.` }
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** A server that lets no such role in is no fault of the installation: it is said, with what stands in. */
function findingOf({ database }: pg.Client, refused: string | undefined): Finding {
  if (refused === undefined) return { ok: true, what: "plugins: they log in to the database as themselves" }
  return {
    ok: true,
    what: `plugins: without logins of their own (${refused}). They use connections of the gateway, where only the check of their SQL keeps them in their role. In pg_hba.conf \`host ${database} all <address of the gateway> scram-sha-256\` closes that, and past a pooler a DATABASE_URL to the server itself.`,
  }
}
