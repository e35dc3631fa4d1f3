import { accessSync, constants, existsSync, mkdirSync } from "node:fs"
import { availableParallelism, totalmem } from "node:os"
import { type GatewayConfig, loadConfig } from "../config.ts"

export interface Finding {
  ok: boolean
  what: string
  /** What to do, when it is not. */
  remedy?: string
}

/** Looks at what a start would need, in the order in which it would need it, and goes on as far as it can. Changes nothing but an absent data folder. */
export async function examine(env: Readonly<Record<string, string | undefined>>): Promise<Finding[]> {
  const major = Number(process.versions.node.split(".")[0])
  const findings: Finding[] = [
    { ok: major >= 24, what: `Node.js ${process.versions.node}`, remedy: "Plugboard runs on Node.js 24 or newer; `npm install` brings one." },
    { ok: totalmem() >= 1 << 30, what: `${availableParallelism()} processors, ${Math.round(totalmem() / (1 << 30))} GiB of memory`, remedy: "Give it at least 1 GiB." },
  ]
  let config: GatewayConfig
  try {
    config = loadConfig(env)
    findings.push({ ok: true, what: `configuration (${config.token ? "gateway token set" : "authentication is off, loopback only"})` })
  } catch (error) {
    return [...findings, { ok: false, what: "configuration", remedy: (error as Error).message }]
  }
  findings.push(examineFolder(config.dataDir))
  findings.push(...(config.databaseUrl ? await examineServer(config.databaseUrl) : [{ ok: true, what: "embedded database" }]))
  const { examineSandbox } = await import("../sandbox/examine.ts")
  findings.push(...(await examineSandbox()))
  return findings
}

function examineFolder(dataDir: string): Finding {
  try {
    if (!existsSync(dataDir)) mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    accessSync(dataDir, constants.R_OK | constants.W_OK)
    return { ok: true, what: `data folder ${dataDir}` }
  } catch (error) {
    return { ok: false, what: `data folder ${dataDir}`, remedy: `${(error as Error).message}. Set PLUGBOARD_DATA_DIR to a folder that this user may write.` }
  }
}

async function examineServer(databaseUrl: string): Promise<Finding[]> {
  const { default: pg } = await import("pg")
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 })
  try {
    await client.connect()
    const { rows } = await client.query<{ version: string; number: number; user: string; database: string; createrole: boolean; vector: boolean }>(`
      SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number, current_user AS user, current_database() AS database,
             (SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user) AS createrole,
             EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') AS vector`)
    const [server] = rows
    const { examinePluginLogin } = await import("../sandbox/db/examine.ts")
    if (!server) return [{ ok: false, what: "database server", remedy: "It answered nothing." }]
    return [
      { ok: server.number >= 150_000, what: `PostgreSQL ${server.version}, database ${server.database}`, remedy: "Plugboard needs PostgreSQL 15 or newer." },
      { ok: server.createrole, what: `${server.user} may create roles`, remedy: `As an administrator: ALTER ROLE "${server.user}" CREATEROLE;` },
      { ok: server.vector, what: "the extension vector is there", remedy: "Install pgvector on the server, then as an administrator in this database: CREATE EXTENSION vector;" },
      ...(server.createrole ? [await examinePluginLogin(databaseUrl)] : []),
    ]
  } catch (error) {
    return [{ ok: false, what: "database server", remedy: `${(error as Error).message}. Check DATABASE_URL.` }]
  } finally {
    await client.end().catch(() => undefined)
  }
}
