import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { Audit, type Caller, Gateway, Keys, PairingDoor, Pairings, type PluginState, Plugins, row, sql, Tenants } from "@plugboard/sdk"
import { Type } from "typebox"
import { createAuth } from "./auth/create.ts"
import type { GatewayConfig } from "./config.ts"
import type { Database } from "./db/database.ts"
import { kernelGlobals } from "./db/kernel-tables.ts"
import { openDatabase } from "./db/open.ts"
import { createEgress } from "./egress.ts"
import { EventBus } from "./events.ts"
import { fail, tell } from "./failures.ts"
import { createHttp } from "./http/create.ts"
import { Load } from "./load.ts"
import { createLog, Redactor } from "./log.ts"
import { nodeIdentity } from "./node-id.ts"
import { changedEvent } from "./packages/changes.ts"
import { Configured } from "./packages/configured.ts"
import { PluginSet } from "./packages/plugin-set.ts"
import { createPluginsService } from "./packages/service.ts"
import { bundledPlugins, type Candidate, kernelMigrations } from "./plugins/discover.ts"
import { Jobs } from "./plugins/jobs.ts"
import { PluginManager } from "./plugins/manager.ts"
import { Points } from "./plugins/points.ts"
import { type Crossing, Services, sameProcess } from "./plugins/services.ts"
import { loadTexts } from "./plugins/texts.ts"
import { createAuditService } from "./records/activity.ts"
import { createKeysService } from "./records/keys.ts"
import { createPairingDoor } from "./records/pairing-door.ts"
import { createPairingsService } from "./records/pairings.ts"
import { createTenantsService } from "./records/tenants.ts"
import type { RegistrySource } from "./registry.ts"
import { createRpc } from "./rpc/create.ts"
import type { SandboxRooms } from "./sandbox/candidate.ts"
import { createSecrets } from "./secrets.ts"
import { version } from "./version.ts"

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
  const redactor = new Redactor()
  for (const secret of [config.token, ...Object.entries(config.env).map(([name, value]) => (/_API_KEY$|_TOKEN$/.test(name) ? value : undefined))]) redactor.add(secret)
  const log = createLog({ level: config.logLevel, redactor, write: options.write })
  const candidates = options.bundled === false ? Promise.resolve([]) : bundledPlugins()
  const db = await openDatabase({ config, log, checkRows: options.checkRows ?? false })
  const stopping = new AbortController()
  try {
    await db.migrate({ id: "kernel", folder: kernelMigrations(), globalTables: kernelGlobals })
    const bus = new EventBus((err, event) => log.error({ err, event }, "event listener failed"))
    db.onCommitted(({ event, payload, tenantId, to }) => bus.publish({ name: event, payload, tenantId, to }))
    const auth = await createAuth({ config, db, log, bus })
    const load = new Load()
    const services = new Services(options.cross ?? sameProcess)
    const eachTenant = (plugin: string, work: (caller: Caller) => Promise<void>) =>
      forEachTenant(db, async (caller) => {
        if (!manager.isOff(plugin, caller.tenantId)) await work(caller)
      })
    const jobs = new Jobs(db, log, eachTenant)
    db.setEnqueuer?.(
      (job, store) => jobs.enqueue({ ...job, decl: declOf(job.plugin, job.name) } as never, job.caller, job.data, {}, store),
      () => jobs.settled(),
    )
    const secrets = createSecrets(config.encryptionKey, redactor)
    const manager: PluginManager = new PluginManager({
      drainMs: config.drainSeconds * 1_000,
      kernelTexts: loadTexts(import.meta.dirname),
      kernelServices: [Audit, Keys, Pairings, Tenants, Gateway, Plugins],
      cross: options.cross ?? sameProcess,
      migrate: async (candidate) => {
        const { manifest, migrations, origin } = candidate
        if (migrations && origin === "bundled") await db.migrate({ id: manifest.id, folder: migrations, globalTables: manifest.globalTables ?? [] })
        else if (migrations) await (await import("./sandbox/db/migrate.ts")).migratePlugin({ db }, candidate)
      },
      rooms: {
        log,
        db,
        bus,
        services,
        points: new Points((plugin, tenantId) => manager.isOff(plugin, tenantId)),
        jobs,
        secrets,
        eachTenant,
        node: nodeIdentity(config.dataDir),
        environment: (names) => names.map((name) => config.env[name]).find(Boolean),
        egress: (manifest) =>
          createEgress({
            allow: manifest.capabilities?.net ?? [],
            allowPrivateHosts: config.allowPrivateHosts,
            connectTimeoutMs: config.connectTimeoutMs,
            inTransaction: () => db.inTransaction(),
            log,
          }),
        hooks: (tenantId) => manager.hooksFor(tenantId),
        describe: (error, locale) => tell(error, locale, manager.current.texts)?.message ?? null,
      },
    })
    function declOf(plugin: string, job: string) {
      return manager.current.manifests.find((manifest) => manifest.id === plugin)?.jobs?.[job]
    }
    const authorized = async (kind: "http" | "rpc", name: string, caller: Caller, signal: AbortSignal) => {
      const hooks = manager.hooksFor(caller.tenantId)
      if (!hooks.has("request.authorized")) return
      const denial = await hooks.call("request.authorized", { kind, name }, { caller, signal })
      if (denial)
        throw fail(denial.kind === "RESOURCE_EXHAUSTED" ? "rate_limited" : "denied", { reason: denial.reason }, { text: denial.reason, retryAfterMs: denial.retryAfterMs })
    }
    const http = createHttp({
      config,
      log,
      auth,
      registry: manager,
      authorized: (...args) => authorized("http", ...args),
      overloaded: () => load.overloaded,
      stopping: stopping.signal,
      version,
    })
    const pairings = createPairingsService({ db })
    const pairing = createPairingDoor({ auth, pairings, open: () => services.has(PairingDoor) })
    const rpc = createRpc({ pairing, config, log, auth, registry: manager, bus, authorized: (...args) => authorized("rpc", ...args), stopping: stopping.signal, version })
    services.offer(kernelOwner, Audit, createAuditService({ db }))
    services.offer(kernelOwner, Keys, createKeysService({ db }))
    services.offer(kernelOwner, Pairings, pairings)
    services.offer(kernelOwner, Tenants, createTenantsService({ db }))
    services.offer(kernelOwner, Gateway, {
      async health() {
        const database = (await db.ping()) ? ("ok" as const) : ("error" as const)
        return { uptimeMs: Math.round(performance.now() - startedAt), version, database, loopDelayMs: load.delayMs, plugins: plugins.states }
      },
      connections: async (caller: Caller) => rpc.connections().filter((connection) => connection.tenantId === caller.tenantId),
    })
    const sandbox: SandboxRooms = {
      db,
      config,
      log,
      eachTenant: (work) => forEachTenant(db, work),
      hasService: (service, version) => services.has({ service, version }),
      onChange: (listener) => manager.onChange(listener),
      isOff: manager.isOff,
    }
    const inFolder = async (folder: string, eager = options.eager) => {
      const candidate = await (await import("./sandbox/folder.ts")).folderCandidate(folder, sandbox, eager)
      return options.around?.(candidate) ?? candidate
    }
    const folders = await Promise.all((options.sandboxed ?? []).map((folder) => inFolder(folder)))
    const bundled = [...(await candidates), ...(options.extra ?? []), ...folders]
    const configured = new Configured({ path: config.file, plugins: config.plugins }, secrets)
    const plugins: PluginSet = new PluginSet({
      db,
      log,
      manager,
      bundled,
      configured,
      dataDir: config.dataDir,
      candidateOf: async (plugin) => (await import("./sandbox/candidate.ts")).sandboxedCandidate(plugin, sandbox),
    })
    const purge = async (id: string) => (await import("./sandbox/db/purge.ts")).purgePlugin({ db }, id)
    services.offer(kernelOwner, Plugins, createPluginsService({ db, bundled, configured, node: plugins, purge }))
    bus.subscribe(changedEvent, () => void plugins.converge().catch(() => undefined))
    await plugins.converge()
    if (config.strict) {
      const failed = plugins.states.find((state) => state.state === "failed")
      if (failed) throw fail("internal", { id: failed.id }, { text: `Plugin ${failed.id} cannot be activated: ${failed.reason}. ${failed.remedy}` })
    }
    const server = createServer(http.serverOptions, http.handler)
    server.on("upgrade", rpc.upgrade)
    const url = await listen(server, config)
    log.info(
      { url, database: db.kind, plugins: plugins.states.filter((state) => state.state === "active").length, ms: Math.round(performance.now() - startedAt) },
      "gateway listens",
    )
    let closing: Promise<void> | undefined
    const close = async () => {
      log.info({}, "gateway drains")
      const accepted = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      plugins.stop()
      await manager.drain(AbortSignal.timeout(config.drainSeconds * 1_000))
      stopping.abort()
      await rpc.closeAll()
      server.closeIdleConnections()
      await Promise.race([accepted, new Promise((resolve) => setTimeout(resolve, 2_000).unref())])
      server.closeAllConnections()
      await manager.stop()
      await jobs.stop()
      await auth.close()
      load.stop()
      await db.close()
      log.info({}, "gateway stopped")
    }
    const renew = async (folder: string) => {
      const candidate = await inFolder(folder, true)
      const { id } = candidate.manifest
      const place = bundled.findIndex(({ manifest }) => manifest.id === id)
      bundled.splice(place < 0 ? bundled.length : place, 1, candidate)
      await plugins.converge()
      return plugins.states.find((state) => state.id === id)
    }
    return {
      url,
      renew,
      get plugins() {
        return plugins.states
      },
      registry: manager,
      db,
      services,
      close: () => (closing ??= close()),
    }
  } catch (error) {
    stopping.abort()
    await db.close()
    throw error
  }
}

/** Whose the kernel's own services are. */
const kernelOwner = { id: "kernel" }

const TenantRow = Type.Object({ id: Type.String(), slug: Type.String() })

async function forEachTenant(db: Database, work: (caller: Caller) => Promise<void>): Promise<void> {
  const tenants = await db.kernel.any(sql.type(row(TenantRow))`SELECT id, slug FROM kernel.tenants WHERE status = 'active' ORDER BY created_at, id`)
  for (const { id, slug } of tenants) {
    await work({ tenantId: id, tenantSlug: slug, userId: "system", role: "owner", scopes: [], locale: "en", via: "system" })
  }
}

function listen(server: Server, config: GatewayConfig): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE"
      reject(taken ? fail("unavailable", {}, { text: `Port ${config.port} on ${config.host} is taken. Stop the other program, or set PLUGBOARD_PORT.`, cause: error }) : error)
    })
    server.listen(config.port, config.host, () => {
      const { port } = server.address() as AddressInfo
      resolve(`http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`)
    })
  })
}
