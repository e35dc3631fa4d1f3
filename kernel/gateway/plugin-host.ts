import { Audit, Backups, type Caller, Catalog, Configuration, Encryption, Gateway, Keys, Logs, Pairings, Plugins, Tenants } from "@plugboard/sdk"
import { createEgress } from "../egress.ts"
import { tell } from "../failures.ts"
import { nodeIdentity } from "../node-id.ts"
import type { Candidate } from "../plugins/discover.ts"
import type { HostRooms } from "../plugins/host.ts"
import { Jobs } from "../plugins/jobs.ts"
import { PluginManager } from "../plugins/manager.ts"
import { Points } from "../plugins/points.ts"
import { loadTexts } from "../plugins/texts.ts"
import { forEachTenant, type Ground } from "./ground.ts"

/** Services that the kernel itself offers. */
const kernelServices = [Audit, Backups, Configuration, Encryption, Keys, Logs, Pairings, Tenants, Gateway, Catalog, Plugins]

/** Who runs plugins, and their jobs. Nothing runs yet. */
export function createPluginHost(ground: Ground): { manager: PluginManager; jobs: Jobs } {
  const { config, log, db, cross } = ground
  const eachTenant = (plugin: string, work: (caller: Caller) => Promise<void>) =>
    forEachTenant(db, async (caller) => {
      if (!manager.isOff(plugin, caller.tenantId)) await work(caller)
    })
  const jobs = new Jobs(db, log, eachTenant)
  const manager: PluginManager = new PluginManager({
    get drainMs() {
      return config.drainSeconds * 1_000
    },
    kernelTexts: loadTexts(`${import.meta.dirname}/..`),
    kernelServices,
    cross,
    migrate: (candidate) => migrate(ground, candidate),
    rooms: roomsOf(ground, () => manager, jobs, eachTenant),
  })
  db.setEnqueuer?.(
    (job, store) => jobs.enqueue({ ...job, decl: declOf(job.plugin, job.name) } as never, job.caller, job.data, {}, store),
    () => jobs.settled(),
  )
  function declOf(plugin: string, job: string) {
    return manager.current.manifests.find((manifest) => manifest.id === plugin)?.jobs?.[job]
  }
  return { manager, jobs }
}

/** What plugins are lent. The manager is asked at each call: it is made with these. */
function roomsOf({ config, log, db, bus, services, secrets }: Ground, manager: () => PluginManager, jobs: Jobs, eachTenant: HostRooms["eachTenant"]): HostRooms {
  return {
    log,
    db,
    bus,
    services,
    points: new Points((plugin, tenantId) => manager().isOff(plugin, tenantId)),
    jobs,
    secrets,
    eachTenant,
    node: nodeIdentity(config.dataDir),
    environment: (names) => names.map((name) => config.env[name]).find(Boolean),
    egress: (manifest) =>
      createEgress({
        allow: manifest.capabilities?.net ?? [],
        get allowPrivateHosts() {
          return config.allowPrivateHosts
        },
        get connectTimeoutMs() {
          return config.connectTimeoutMs
        },
        inTransaction: () => db.inTransaction(),
        log,
      }),
    hooks: (tenantId) => manager().hooksFor(tenantId),
    describe: (error, locale) => tell(error, locale, manager().current.texts)?.message ?? null,
  }
}

async function migrate({ db }: Ground, candidate: Candidate): Promise<void> {
  const { manifest, migrations, origin } = candidate
  if (migrations && origin === "bundled") await db.migrate({ id: manifest.id, folder: migrations, globalTables: manifest.globalTables ?? [] })
  else if (migrations) await (await import("../sandbox/db/migrate.ts")).migratePlugin({ db }, candidate)
}
