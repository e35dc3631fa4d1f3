import type { Caller } from "@plugboard/sdk"
import { type GatewayConfig, loadConfig } from "../config.ts"
import type { Database } from "../db/database.ts"
import { kernelGlobals } from "../db/kernel-tables.ts"
import { openDatabase } from "../db/open.ts"
import { KeyRing } from "../key-ring.ts"
import { createLog, type GatewayLog, Redactor } from "../log.ts"
import { kernelMigrations } from "../plugins/discover.ts"
import { createSecrets, type SecretBox } from "../secrets.ts"
import { masterTenantId, masterTenantSlug } from "../tenancy.ts"

/** What a command works on while no gateway runs here. */
export interface Store {
  config: GatewayConfig
  db: Database
  ring: KeyRing
  secrets: SecretBox
  log: GatewayLog
}

export async function openStore(env: Readonly<Record<string, string | undefined>>): Promise<Store> {
  const config = loadConfig(env)
  const redactor = new Redactor()
  const log = createLog({ level: "warn", redactor, write: (line) => process.stderr.write(line) })
  const db = await openDatabase({ config, log, checkRows: false })
  try {
    await db.migrate({ id: "kernel", folder: kernelMigrations(), globalTables: kernelGlobals })
    const ring = new KeyRing(config.encryption)
    return { config, db, ring, secrets: createSecrets(ring, redactor), log }
  } catch (error) {
    await db.close()
    throw error
  }
}

/** Whoever has the database's password or files may do anything. */
export const caller: Caller = { tenantId: masterTenantId, tenantSlug: masterTenantSlug, userId: "system", role: "owner", scopes: [], locale: "en", via: "system" }
