import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto"
import { row, sql } from "@plugboard/sdk"
import pg from "pg"
import { parseIntoClientConfig } from "pg-connection-string"
import { Type } from "typebox"
import type { Pool } from "../../db/pool.ts"
import { serverConfig } from "../../db/server.ts"
import type { SecretBox } from "../../secrets.ts"
import { masterTenantId } from "../../tenancy.ts"

const Nothing = row(Type.Object({}))
const Seed = row(Type.Object({ login: Type.String() }))

/** What passwords are made of: made once for the database, and sealed there, so that every node that opens its secrets comes to the same ones. */
export async function loginSeed(pool: Pool, secrets: SecretBox): Promise<string> {
  const made = secrets.seal(masterTenantId, "kernel", "login", randomBytes(32).toString("base64url"))
  const { rows } = await pool.run("owner", sql.type(Seed)`UPDATE _sandbox.word SET login = coalesce(login, ${made}) RETURNING login`)
  return secrets.open(masterTenantId, "kernel", "login", rows[0]?.login ?? "")
}

export function passwordOf(seed: string, role: string): string {
  return createHmac("sha256", seed).update(role).digest("base64url")
}

/** How to reach the server as another user than the one that its address names. */
export function loginConfig(databaseUrl: string, user: string, password: string): pg.ClientConfig {
  const { connectionString: _, ...config } = serverConfig(databaseUrl)
  return { ...config, ...parseIntoClientConfig(databaseUrl), application_name: user, user, password }
}

/**
 * Null when `role` can log in with its password, else why not. A password that is not taken is set once: the server gets a verifier, from which nobody, its log included, learns the password.
 * Rejects when the server cannot be reached at all.
 */
export async function tryLogin(pool: Pool, config: pg.ClientConfig): Promise<string | null> {
  const first = await refusalOf(config)
  if (first === null || !first.wrongPassword) return first?.reason ?? null
  await setPassword(pool, config.user ?? "", config.password as string)
  return (await refusalOf(config))?.reason ?? null
}

interface Refused {
  reason: string
  wrongPassword: boolean
}

/** Null when the server lets it in as the user that it names. */
export async function refusalOf(config: pg.ClientConfig): Promise<Refused | null> {
  const client = new pg.Client(config)
  client.on("error", () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query<{ who: string }>("SELECT session_user AS who")
    // A pooler may let everybody in as one user of its own choice.
    return rows[0]?.who === config.user ? null : { reason: `the server takes it for ${rows[0]?.who}`, wrongPassword: false }
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    // Class 28: refused by pg_hba.conf or the password; 42501: not allowed into this database; 08P01: refused by a pooler. A method that pg does not know has no code.
    if (code !== undefined && !/^(28...|42501|08P01)$/.test(code)) throw error
    if (code === undefined && !/authentica|password|SASL/i.test(message)) throw error
    return { reason: message, wrongPassword: code === "28P01" }
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function setPassword(pool: Pool, role: string, password: string): Promise<void> {
  await pool.transaction(async ({ run }) => {
    await run("owner", sql.type(Nothing)`SELECT set_config('plugboard.role', ${role}, true), set_config('plugboard.verifier', ${verifierOf(password)}, true)`)
    await run(
      "owner",
      sql.type(Nothing)`
        DO $set$ BEGIN
          PERFORM pg_advisory_xact_lock(7265843149);
          EXECUTE format('ALTER ROLE %I PASSWORD %L', current_setting('plugboard.role'), current_setting('plugboard.verifier'));
        END $set$`,
    )
  })
}

/** What PostgreSQL stores of a password. Source: RFC 5803, and PostgreSQL's manual, 53.8 pg_authid. */
export function verifierOf(password: string): string {
  const salt = randomBytes(16)
  const rounds = 4_096
  const salted = pbkdf2Sync(password, salt, rounds, 32, "sha256")
  const keyed = (name: string) => createHmac("sha256", salted).update(name).digest()
  const stored = createHash("sha256").update(keyed("Client Key")).digest("base64")
  return `SCRAM-SHA-256$${rounds}:${salt.toString("base64")}$${stored}:${keyed("Server Key").toString("base64")}`
}
