import type { Caller } from "@plugboard/sdk"
import { loadConfig } from "../config.ts"
import { kernelGlobals } from "../db/kernel-tables.ts"
import { openDatabase } from "../db/open.ts"
import { KeyRing } from "../key-ring.ts"
import { createLog, Redactor } from "../log.ts"
import { Configured } from "../packages/configured.ts"
import { createPluginsService } from "../packages/service.ts"
import { bundledPlugins, kernelMigrations } from "../plugins/discover.ts"
import { createSecrets } from "../secrets.ts"
import { masterTenantId, masterTenantSlug } from "../tenancy.ts"
import type { Door } from "./plugins-door.ts"

/** The plugins as the database has them, while no gateway runs here. Gateways that run elsewhere on it follow at once; others when they start. */
export async function openStored(env: Readonly<Record<string, string | undefined>>): Promise<Door> {
  const config = loadConfig(env)
  const redactor = new Redactor()
  const log = createLog({ level: "warn", redactor, write: (line) => process.stderr.write(line) })
  const db = await openDatabase({ config, log, checkRows: false })
  try {
    await db.migrate({ id: "kernel", folder: kernelMigrations(), globalTables: kernelGlobals })
    const service = createPluginsService({
      db,
      bundled: await bundledPlugins(),
      configured: new Configured({ path: config.file, plugins: config.plugins }, createSecrets(new KeyRing(config.encryption), redactor)),
      node: undefined,
      purge: async (id) => (await import("../sandbox/db/purge.ts")).purgePlugin({ db }, id),
    })
    return {
      list: (...args) => service.list(caller, ...args),
      inspect: (...args) => service.inspect(caller, ...args),
      add: (...args) => service.add(caller, ...args),
      grant: (...args) => service.grant(caller, ...args),
      enable: (...args) => service.enable(caller, ...args),
      disable: (...args) => service.disable(caller, ...args),
      configure: (...args) => service.configure(caller, ...args),
      rollback: (...args) => service.rollback(caller, ...args),
      remove: (...args) => service.remove(caller, ...args),
      close: () => db.close(),
    }
  } catch (error) {
    await db.close()
    throw error
  }
}

/** Whoever has the database's password or files may do anything. */
const caller: Caller = { tenantId: masterTenantId, tenantSlug: masterTenantSlug, userId: "system", role: "owner", scopes: [], locale: "en", via: "system" }
