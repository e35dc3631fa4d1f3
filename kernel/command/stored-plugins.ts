import { Configured } from "../packages/configured.ts"
import { createPluginsService } from "../packages/service.ts"
import { bundledPlugins } from "../plugins/discover.ts"
import type { Door } from "./plugins-door.ts"
import { caller, openStore } from "./store.ts"

/** The plugins as the database has them, while no gateway runs here. Gateways that run elsewhere on it follow at once; others when they start. */
export async function openStored(env: Readonly<Record<string, string | undefined>>): Promise<Door> {
  const { config, db, secrets } = await openStore(env)
  try {
    const service = createPluginsService({
      db,
      bundled: await bundledPlugins(),
      configured: new Configured({ path: config.file, plugins: config.plugins }, secrets),
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
