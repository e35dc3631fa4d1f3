import type { PluginState } from "@plugboard/sdk"
import type { GatewayConfig } from "./config.ts"
import type { Database } from "./db/database.ts"
import { kernelGlobals } from "./db/kernel-tables.ts"
import { openDatabase } from "./db/open.ts"
import { fail } from "./failures.ts"
import { createLog, Redactor } from "./log.ts"
import { bundledPlugins, type Candidate, kernelMigrations } from "./plugins/discover.ts"
import type { Crossing, Services } from "./plugins/services.ts"
import type { RegistrySource } from "./registry.ts"

export interface GatewayOptions {
  /** Plugins besides the bundled ones. */
  extra?: readonly Candidate[]
  /** Folders of plugins in development, each in a process of its own, with all that their manifests ask for. */
  sandboxed?: readonly string[]
  /** True: their processes start at once, and not when they are first needed. */
  eager?: boolean
  /** Around each of these, such as to time its calls. */
  around?: (candidate: Candidate) => Candidate
  /** False: none of the bundled plugins. */
  bundled?: boolean
  /** Where log lines go; stdout when left out. */
  write?: (line: string) => void
  cross?: Crossing
  /** True: each row is checked against the schema of its query. */
  checkRows?: boolean
}

export interface RunningGateway {
  readonly url: string
  readonly plugins: readonly PluginState[]
  readonly registry: RegistrySource
  readonly db: Database
  readonly services: Services
  /** Reads one of the folders of `sandboxed` anew, and brings its plugin up beside the one that runs; where that fails, the latter goes on. Rejects when the folder has no manifest that can be read. */
  renew(folder: string): Promise<PluginState | undefined>
  /** Takes no new work, lets runs end (`gateway.drain_seconds`), then closes sockets and the database. Safe to call twice. */
  close(): Promise<void>
}

/** Brings the gateway up and listens. Rejects with a ConfigError or a failure that says what to change; nothing stays open then. */
export async function startGateway(config: GatewayConfig, options: GatewayOptions = {}): Promise<RunningGateway> {
  const startedAt = performance.now()
  const redactor = redactorOf(config)
  const log = createLog({ level: config.logLevel, redactor, write: options.write })
  const isOn = ({ manifest }: Candidate) => config.plugins[manifest.id]?.enabled !== false
  const whole = options.bundled !== false && !Object.values(config.plugins).some(({ enabled }) => enabled === false)
  const opening = openDatabase({ config, log, checkRows: options.checkRows ?? false, gateway: true, whole })
  const bundled = options.bundled === false ? Promise.resolve([]) : bundledPlugins()
  // The embedded database opens in its thread for as long as it takes to read nearly all other code.
  const read = (candidates: readonly Candidate[]) => candidates.filter(isOn).map((candidate) => candidate.load().catch(() => undefined))
  bundled.then(config.databaseUrl === undefined ? read : undefined).catch(() => undefined)
  const [rooms, db] = await Promise.all([import("./gateway/rooms.ts"), opening])
  const stopping = new AbortController()
  try {
    await db.migrate({ id: "kernel", folder: kernelMigrations(), globalTables: kernelGlobals })
    const ground = await rooms.layGround({ config, log, db, redactor, cross: options.cross, stopping: stopping.signal })
    const { manager, jobs } = rooms.createPluginHost(ground)
    const pairings = rooms.createPairingsService({ db })
    const doors = rooms.createDoors(ground, manager, pairings)
    const { sandboxed: folders = [], extra = [], eager, around } = options
    const installed = await rooms.findInstalled(ground, manager, { bundled: [...(await bundled), ...extra], folders, eager, around })
    const encryption = new rooms.Encryption({ ...ground, manifests: async () => installed.bundled.map(({ manifest }) => manifest) })
    rooms.offerOwnServices(ground, { manager, installed, pairings, encryption, rpc: doors.rpc, startedAt })
    const { plugins, renew } = installed
    await plugins.converge()
    if (config.strict) demandAll(plugins.states)
    await encryption.resume()
    const open = await doors.open()
    const active = plugins.states.filter((state) => state.state === "active").length
    log.info({ url: open.url, database: db.kind, plugins: active, ms: Math.round(performance.now() - startedAt) }, "gateway listens")
    jobs.begin()
    /** From the doors inwards: what was let in comes to its end, or is ended, before what it stands on goes. */
    async function closeAll(): Promise<void> {
      log.info({}, "gateway drains")
      open.shut()
      plugins.stop()
      await manager.drain(AbortSignal.timeout(ground.config.drainSeconds * 1_000))
      stopping.abort()
      await doors.rpc.closeAll()
      await open.end()
      await encryption.stop()
      await manager.stop()
      await jobs.stop()
      await ground.auth.close()
      ground.load.stop()
      await db.close()
      log.info({}, "gateway stopped")
    }
    let closing: Promise<void> | undefined
    return {
      url: open.url,
      renew,
      get plugins() {
        return plugins.states
      },
      registry: manager,
      db,
      services: ground.services,
      close: () => (closing ??= closeAll()),
    }
  } catch (error) {
    stopping.abort()
    await db.close()
    throw error
  }
}

function demandAll(states: readonly PluginState[]): void {
  const failed = states.find((state) => state.state === "failed")
  if (failed) throw fail("internal", { id: failed.id }, { text: `Plugin ${failed.id} cannot be activated: ${failed.reason}. ${failed.remedy}` })
}

/** Knows the secrets of the configuration. */
function redactorOf({ token, env }: GatewayConfig): Redactor {
  const redactor = new Redactor()
  redactor.add(token)
  for (const [name, value] of Object.entries(env)) if (/_API_KEY$|_TOKEN$/.test(name)) redactor.add(value)
  return redactor
}
