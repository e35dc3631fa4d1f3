import type { GatewayConfig } from "../../config.ts"
import type { Database } from "../../db/database.ts"
import { sessionOpener } from "../../db/driver.ts"
import { embeddedLimits, type PluginLimits, serverLimits } from "../../db/plugin-limits.ts"
import { openPool, type Pool } from "../../db/pool.ts"
import { serverConfig } from "../../db/server.ts"
import type { GatewayLog } from "../../log.ts"
import type { SecretBox } from "../../secrets.ts"
import { loginConfig, loginSeed, passwordOf, tryLogin } from "./login.ts"

export interface PluginDbRooms {
  db: Database
  config: Pick<GatewayConfig, "databaseUrl">
  secrets: SecretBox
  log: GatewayLog
}

/**
 * What keeps a plugin in its role. `login`: the server, since its connections have logged in as that role. `role`: connections of the gateway take the role on, and would give it up for a text that asks for it;
 * `embedded`: the one connection does. Those two rest on the gate alone, which lets no such text through.
 */
export type Border = "login" | "role" | "embedded"

export interface PluginConnections {
  pool: Pool
  limits: PluginLimits
  border: Border
  close(): Promise<void>
}

/** A connection that a plugin has not needed for so long is closed. Milliseconds. */
const idleMs = 60_000

export async function connectionsOf({ db, config, secrets, log }: PluginDbRooms, plugin: string, role: string): Promise<PluginConnections> {
  const { inside } = db
  if (config.databaseUrl === undefined) return { pool: inside.pool, limits: embeddedLimits, border: "embedded", close: async () => undefined }
  const own = loginConfig(config.databaseUrl, role, passwordOf(await loginSeed(inside.pool, secrets), role))
  const refused = await tryLogin(inside.pool, own)
  if (refused !== null) log.warn({ plugin, role, reason: refused }, "plugin cannot log in to the database as itself; it uses connections of the gateway")
  const pool = await openPool({
    open: sessionOpener({
      config: refused === null ? own : serverConfig(config.databaseUrl),
      login: refused === null ? role : undefined,
      roles: inside.roles,
      onStatement: inside.onStatement,
      pluginLimits: serverLimits,
      statementTimeoutMs: serverLimits.statementMs,
      lockTimeoutMs: serverLimits.lockMs,
      idleInTransactionMs: serverLimits.idleMs * 2,
      silenceMs: serverLimits.statementMs + 3_000,
    }),
    size: serverLimits.atOnce,
    checkRows: false,
    idleMs,
  })
  return { pool, limits: serverLimits, border: refused === null ? "login" : "role", close: () => pool.end() }
}
