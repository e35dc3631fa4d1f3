import {
  Audit,
  Backups,
  type Caller,
  Catalog,
  Configuration,
  Encryption,
  type EncryptionService,
  Gateway,
  Keys,
  Logs,
  Pairings,
  type PairingsService,
  Plugins,
  Tenants,
} from "@plugboard/sdk"
import { roleByToken } from "../auth/powers.ts"
import { createPluginsService, followOn } from "../packages/service.ts"
import { createCatalog } from "../plugins/catalog.ts"
import type { PluginManager } from "../plugins/manager.ts"
import { createAuditService } from "../records/activity.ts"
import { createConfigurationService } from "../records/configuration.ts"
import { createKeysService } from "../records/keys.ts"
import { createLogsService } from "../records/logs.ts"
import { createTenantsService } from "../records/tenants.ts"
import type { Rpc } from "../rpc/create.ts"
import { createBackups } from "../upkeep/backups.ts"
import { forgetGone } from "../upkeep/gone-tenants.ts"
import { version } from "../version.ts"
import type { Ground } from "./ground.ts"
import type { Installed } from "./installed.ts"

export interface OwnServicesOptions {
  manager: PluginManager
  installed: Installed
  pairings: PairingsService
  encryption: EncryptionService
  rpc: Rpc
  /** By `performance.now()`. */
  startedAt: number
}

/** What the kernel knows and keeps, for plugins. */
export function offerOwnServices(
  { config, db, load, log, ring, services, settings, stopping }: Ground,
  { manager, installed, pairings, encryption, rpc, startedAt }: OwnServicesOptions,
): void {
  const { plugins, bundled, configured } = installed
  const kernel = { id: "kernel" }
  const forget = () => forgetGone({ db, log }, stopping).catch((err: unknown) => log.warn({ err }, "rows of removed tenants left; the next start goes on"))
  void forget()
  services.offer(kernel, Audit, createAuditService({ db }))
  services.offer(kernel, Keys, createKeysService({ db }))
  services.offer(kernel, Logs, createLogsService(log))
  services.offer(kernel, Pairings, pairings)
  services.offer(kernel, Encryption, encryption)
  services.offer(kernel, Backups, createBackups({ db, config, ring, log }))
  services.offer(kernel, Tenants, createTenantsService({ db, forget }))
  services.offer(kernel, Catalog, createCatalog(manager, version))
  services.offer(kernel, Gateway, {
    async health() {
      const database = (await db.ping()) ? ("ok" as const) : ("error" as const)
      return { uptimeMs: Math.round(performance.now() - startedAt), version, database, loopDelayMs: load.delayMs, plugins: plugins.states }
    },
    connections: async (caller: Caller) => rpc.connections().filter((connection) => connection.tenantId === caller.tenantId),
  })
  services.offer(kernel, Configuration, createConfigurationService({ db, config, settings, bundled, configured, followPlugins: () => followOn(plugins) }))
  let memoryMiB = config.sandboxMemoryMiB
  settings.onChange(() => {
    // Whoever is no owner any more, or is one now, comes in again as what they are.
    rpc.closeWhere(({ via, userId, role }) => (via === "token" || via === "open") && roleByToken(config, userId) !== role)
    if (memoryMiB !== config.sandboxMemoryMiB) void plugins.converge().catch(() => undefined)
    memoryMiB = config.sandboxMemoryMiB
  })
  const purge = async (id: string) => (await import("../sandbox/db/purge.ts")).purgePlugin({ db }, id)
  services.offer(kernel, Plugins, createPluginsService({ db, bundled, configured, node: plugins, purge }))
}
