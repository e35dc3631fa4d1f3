import type { Grants, Manifest, PluginState } from "@plugboard/sdk"
import type { Database } from "../db/database.ts"
import type { GatewayLog } from "../log.ts"
import type { Candidate } from "../plugins/discover.ts"
import type { PluginManager } from "../plugins/manager.ts"
import type { Misfit } from "../plugins/manifest-check.ts"
import type { Wanted } from "../plugins/wanted.ts"
import type { Configured } from "./configured.ts"
import { type GrantedPackage, type KnownPlugin, knownPlugins } from "./known.ts"
import { PackageError } from "./package-error.ts"
import type { Json } from "./settings.ts"
import { markProven, type PluginRow } from "./store.ts"
import { UnpackedPackages } from "./unpacked.ts"

export interface PackagedPlugin {
  folder: string
  manifest: Manifest
  /** File inside the folder. */
  entry: string
  /** Changes with the package and with what was agreed to. */
  build: string
  grants: Grants
  /** True: it must show at once that it comes up. */
  eager: boolean
}

export interface PluginSetOptions {
  db: Database
  log: GatewayLog
  manager: Pick<PluginManager, "converge" | "states">
  /** Those that need no package: the bundled ones, and what a test brings. */
  bundled: readonly Candidate[]
  configured: Configured
  dataDir: string
  candidateOf(plugin: PackagedPlugin): Promise<Candidate>
}

/** How long after a failure to read what is wanted this node tries again, in ms. */
const retryMs = 2_000

/** Brings this node to the plugins that the database and the configuration file want, at start and whenever somebody changes them. */
export class PluginSet {
  readonly #options: PluginSetOptions
  readonly #unpacked: UnpackedPackages
  /** What the manager knows nothing of: packages that wait or cannot be read, and why an older version runs. */
  #aside = new Map<string, PluginState>()
  #turn: Promise<unknown> = Promise.resolve()
  #next: Promise<void> | undefined
  #first = true
  #stopped = false

  constructor(options: PluginSetOptions) {
    this.#options = options
    this.#unpacked = new UnpackedPackages(options.db.kernel, options.dataDir)
  }

  /** Of every plugin that runs, and of those that do not, with the reason. */
  get states(): PluginState[] {
    const all = new Map(this.#options.manager.states.map((state) => [state.id, state]))
    for (const [id, own] of this.#aside) {
      const running = all.get(id)
      all.set(id, running?.state === "active" ? { ...running, pending: running.pending ?? own.pending } : (running ?? own))
    }
    return [...all.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Resolves when this node is where the database was at the call, or later; all who ask while a round is under way share the next. After a failure it goes on trying by itself. */
  converge(): Promise<void> {
    if (this.#next) return this.#next
    const next = this.#turn.then(() => {
      this.#next = undefined
      return this.#round()
    })
    this.#next = next
    this.#turn = next.catch((err: unknown) => {
      if (this.#stopped) return
      this.#options.log.warn({ err, retryMs }, "plugins not brought up to date; trying again")
      setTimeout(() => void this.converge().catch(() => undefined), retryMs).unref()
    })
    return next
  }

  /** Resolves when all that was asked for so far is done, or has failed. */
  async settled(): Promise<void> {
    await (this.#next ?? this.#turn).catch(() => undefined)
  }

  stop(): void {
    this.#stopped = true
  }

  async #round(): Promise<void> {
    if (this.#stopped) return
    const { db, bundled, manager } = this.#options
    const known = await knownPlugins(db.kernel, bundled)
    if (this.#first) this.#unpacked.clear(new Set([...known.values()].flatMap(({ row }) => [row?.package_hash, row?.previous_hash].filter((hash) => hash != null))))
    const aside = new Map<string, PluginState>()
    const wanted = await this.#wantedOf(known, aside)
    this.#aside = aside
    await manager.converge(wanted)
    const instead = await this.#stepBack(known)
    if (instead.size > 0) await manager.converge({ ...wanted, candidates: wanted.candidates.map((candidate) => instead.get(candidate.manifest.id) ?? candidate) })
    this.#first = false
    await this.#noteProven(known)
  }

  /** What the manager is to run. One plugin's trouble is told of that plugin, and stops no other. */
  async #wantedOf(known: ReadonlyMap<string, KnownPlugin>, aside: Map<string, PluginState>): Promise<Wanted> {
    const { configured, log } = this.#options
    const candidates: Candidate[] = []
    const config: Record<string, Json> = {}
    const offFor = new Map<string, ReadonlySet<string>>()
    for (const plugin of known.values()) {
      const { id, origin, bundled, runs, waits, row, manifest } = plugin
      offFor.set(id, new Set(row?.off_for))
      const off = configured.offReason(id, row)
      if (off !== undefined && !bundled) aside.set(id, { id, version: manifest.version, origin, state: "disabled", reason: off })
      else if (waits) aside.set(id, waiting(plugin, waits.version))
      if (!bundled && (off !== undefined || !runs)) continue
      try {
        config[id] = configured.settingsOf(id, row)
        candidates.push(bundled ?? (await this.#candidateOf(runs as GrantedPackage, row)))
      } catch (err) {
        const misfit = misfitOf(err)
        aside.set(id, { id, version: manifest.version, origin, state: "failed", ...misfit })
        log.error({ plugin: id, err, ...misfit }, "plugin set aside")
      }
    }
    return { candidates, config, offReason: (id) => configured.offReason(id, known.get(id)?.row), offFor: (id) => offFor.get(id) ?? nobody }
  }

  async #candidateOf({ hash, contents: { manifest, entry }, grants }: GrantedPackage, row: PluginRow | undefined): Promise<Candidate> {
    const folder = await this.#unpacked.folderOf(hash)
    // At a start, what is known to come up waits until it is needed.
    const eager = !this.#first || row?.package_hash !== hash || !row.proven
    return this.#options.candidateOf({ folder, manifest, entry, grants, eager, build: `${hash} ${JSON.stringify(grants)}` })
  }

  /** For packages that did not come up with nothing older of them running, since this node has just started: the ones before. */
  async #stepBack(known: ReadonlyMap<string, KnownPlugin>): Promise<Map<string, Candidate>> {
    const instead = new Map<string, Candidate>()
    for (const { id, version, state, reason = "", remedy = "" } of this.#options.manager.states) {
      const { previous, runs, row } = known.get(id) ?? {}
      if (state !== "failed" || !previous || previous.hash === runs?.hash) continue
      const candidate = await this.#candidateOf(previous, row).catch(() => undefined)
      if (!candidate) continue
      instead.set(id, candidate)
      this.#aside.set(id, { id, version: previous.version, origin: "package", state: "failed", reason, remedy, pending: { version, reason, remedy } })
    }
    return instead
  }

  async #noteProven(known: ReadonlyMap<string, KnownPlugin>): Promise<void> {
    for (const { id, state, pending } of this.#options.manager.states) {
      const { row, runs } = known.get(id) ?? {}
      if (state === "active" && !pending && !this.#aside.has(id) && runs && row?.package_hash === runs.hash && !row.proven) await markProven(this.#options.db.kernel, id, runs.hash)
    }
  }
}

const nobody: ReadonlySet<string> = new Set()

function waiting({ id, runs, manifest }: KnownPlugin, version: string): PluginState {
  const reason = runs ? "it asks for more than was agreed to" : "nobody has agreed to what it asks for"
  const remedy = `See what it asks for and agree with: plugboard plugins grant ${id}`
  const state = { id, version: manifest.version, origin: "package", state: "waiting", reason, remedy } as const
  return runs ? { ...state, pending: { version, reason, remedy } } : state
}

function misfitOf(error: unknown): Misfit {
  if (error instanceof PackageError) return { reason: error.message, remedy: error.remedy }
  return { reason: (error as Error).message, remedy: "See the log for the cause. The next change of any plugin tries again." }
}
