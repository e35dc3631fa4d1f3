import type { PluginState } from "@plugboard/sdk"
import { changedEvent } from "../packages/changes.ts"
import { Configured } from "../packages/configured.ts"
import { type PackagedPlugin, PluginSet } from "../packages/plugin-set.ts"
import type { Candidate } from "../plugins/discover.ts"
import type { PluginManager } from "../plugins/manager.ts"
import type { SandboxRooms } from "../sandbox/candidate.ts"
import { forEachTenant, type Ground } from "./ground.ts"

export interface InstalledOptions {
  bundled: readonly Candidate[]
  /** Folders of plugins in development, each in a process of its own. */
  folders: readonly string[]
  /** True: their processes start at once. */
  eager?: boolean
  around?: (candidate: Candidate) => Candidate
}

export interface Installed {
  plugins: PluginSet
  /** All that need no package. */
  bundled: readonly Candidate[]
  configured: Configured
  renew(folder: string): Promise<PluginState | undefined>
}

/** The plugins that there are for this gateway, and the way to those that the database and the configuration want. */
export async function findInstalled(ground: Ground, manager: PluginManager, options: InstalledOptions): Promise<Installed> {
  const { config, log, db, bus, services, secrets } = ground
  const sandbox: SandboxRooms = {
    db,
    config,
    secrets,
    log,
    eachTenant: (work) => forEachTenant(db, work),
    hasService: (service, version) => services.has({ service, version }),
    onChange: (listener) => manager.onChange(listener),
    isOff: manager.isOff,
  }
  const inFolder = async (folder: string, eager = options.eager) => {
    const candidate = await (await import("../sandbox/folder.ts")).folderCandidate(folder, sandbox, eager)
    return options.around?.(candidate) ?? candidate
  }
  const bundled = [...options.bundled, ...(await Promise.all(options.folders.map((folder) => inFolder(folder))))]
  const configured = new Configured({ path: config.file, plugins: config.plugins }, secrets)
  const candidateOf = async (plugin: PackagedPlugin) => (await import("../sandbox/candidate.ts")).sandboxedCandidate(plugin, sandbox)
  const plugins = new PluginSet({ db, log, manager, bundled, configured, dataDir: config.dataDir, candidateOf })
  bus.subscribe(changedEvent, ({ payload }) => {
    manager.forgive((payload as { id: string }).id)
    void plugins.converge().catch(() => undefined)
  })
  return {
    plugins,
    bundled,
    configured,
    async renew(folder) {
      const candidate = await inFolder(folder, true)
      const { id } = candidate.manifest
      const place = bundled.findIndex(({ manifest }) => manifest.id === id)
      bundled.splice(place < 0 ? bundled.length : place, 1, candidate)
      await plugins.converge()
      return plugins.states.find((state) => state.id === id)
    },
  }
}
