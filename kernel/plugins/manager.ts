import {
  type Caller,
  type HookContext,
  type HookName,
  hookDefinitions,
  type Life,
  type Manifest,
  type Plugin,
  type PluginState,
  type ServiceToken,
  type Texts,
} from "@plugboard/sdk"
import { checkConfig } from "../config.ts"
import { reasonOf } from "../failures.ts"
import { HookSet } from "../hooks/hook-set.ts"
import type { RegisteredTap } from "../hooks/tap.ts"
import type { Registry, RegistrySource } from "../registry.ts"
import type { Candidate } from "./discover.ts"
import { createHost, type HostRooms } from "./host.ts"
import type { ActiveJob } from "./jobs.ts"
import { checkManifest, type Misfit } from "./manifest-check.ts"
import { orderPlugins } from "./order.ts"
import { pictureOf } from "./picture.ts"
import { type Crossing, sameProcess } from "./services.ts"
import { loadTexts } from "./texts.ts"

type Handler = (...args: never[]) => unknown
export interface ActivePlugin {
  manifest: Manifest
  texts: Texts
  parts: Life & Partial<Record<"routes" | "rpc" | "hooks" | "jobs", Record<string, Handler>>>
}

export interface ManagerOptions {
  rooms: HostRooms
  config: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  kernelTexts: Texts
  kernelServices: readonly ServiceToken<unknown>[]
  /** Copies what a call carries, as a process border would. */
  cross: Crossing
  migrate(candidate: Candidate): Promise<void>
}

/** Brings plugins up in order and keeps the picture of what they contribute. One that does not fit is set aside with its reason and remedy; the rest go on. */
export class PluginManager implements RegistrySource {
  readonly #options: ManagerOptions
  readonly #states = new Map<string, PluginState>()
  readonly #listeners: ((registry: Registry) => void)[] = []
  #active: ActivePlugin[] = []
  #hooks: HookSet
  current: Registry

  constructor(options: ManagerOptions) {
    this.#options = options
    this.#hooks = new HookSet([], options.rooms.log)
    this.current = pictureOf([], options.kernelTexts)
  }

  get hooks(): HookSet {
    return this.#hooks
  }

  get states(): PluginState[] {
    return [...this.#states.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  onChange(listener: (registry: Registry) => void): void {
    this.#listeners.push(listener)
  }

  async activate(candidates: readonly Candidate[]): Promise<void> {
    const enabled: Candidate[] = []
    for (const candidate of candidates) {
      const { id, version } = candidate.manifest
      if (this.#options.config[id]?.enabled === false) this.#states.set(id, { id, version, state: "disabled", reason: `plugins.${id}.enabled is false in the configuration` })
      else if (!this.#refused(candidate)) enabled.push(candidate)
    }
    const { ordered, aside } = orderPlugins(enabled, this.#options.kernelServices)
    for (const { item, misfit } of aside) this.#setAside(item, misfit)
    // Imports are the slow part and know no order; activation does.
    const loading = ordered.map((candidate) => candidate.load())
    for (const pending of loading) pending.catch(() => undefined)
    for (const [index, candidate] of ordered.entries()) await this.#bringUp(candidate, loading[index] as Promise<Plugin>)
    this.#publish()
    for (const plugin of [...this.#active]) {
      try {
        await plugin.parts.start?.()
      } catch (error) {
        this.#withdraw(plugin)
        this.#setAside(plugin, { reason: `its start failed: ${reasonOf(error, this.current.texts)}`, remedy: "See the log for the cause." }, error)
        this.#publish()
      }
    }
    this.#options.rooms.jobs.use(this.#jobs())
  }

  /** Last activated first: whoever uses a service ends before it. */
  async drain(signal: AbortSignal): Promise<void> {
    for (const plugin of [...this.#active].reverse()) await this.#ending(plugin, () => plugin.parts.drain?.(signal))
  }

  async stop(): Promise<void> {
    for (const plugin of [...this.#active].reverse()) await this.#ending(plugin, () => plugin.parts.stop?.())
  }

  async #ending(plugin: ActivePlugin, work: () => Promise<void> | undefined): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#options.rooms.log.warn({ err: error, plugin: plugin.manifest.id }, "plugin failed while it was stopped")
    }
  }

  #refused(candidate: Candidate): boolean {
    const misfit = checkManifest(candidate.manifest)
    if (misfit) this.#setAside(candidate, misfit)
    return misfit !== null
  }

  async #bringUp(candidate: Candidate, loading: Promise<Plugin>): Promise<void> {
    const { rooms } = this.#options
    const { manifest } = candidate
    try {
      const missing = (manifest.requires ?? []).find((token) => !rooms.services.has(token))
      if (missing)
        throw new SetAside({ reason: `it needs the service ${missing.service}, which is not there`, remedy: `See why the plugin that offers ${missing.service} is off.` })
      const config = this.#configOf(manifest)
      const plugin = await loading
      await this.#options.migrate(candidate)
      const parts = plugin.activate(createHost(manifest, config, rooms)) as ActivePlugin["parts"]
      const active: ActivePlugin = { manifest, parts, texts: loadTexts(candidate.folder) }
      const misfit = checkParts(active)
      if (misfit) throw new SetAside(misfit)
      pictureOf([...this.#active, active], this.#options.kernelTexts)
      this.#active.push(active)
      this.#states.set(manifest.id, { id: manifest.id, version: manifest.version, state: "active" })
    } catch (error) {
      rooms.services.withdraw(manifest.id)
      rooms.points.withdraw(manifest.id)
      if (error instanceof SetAside) return this.#setAside(candidate, error.misfit)
      const texts = new Map([
        ["kernel", this.#options.kernelTexts],
        [manifest.id, loadTexts(candidate.folder)],
      ])
      this.#setAside(candidate, { reason: `its activation failed: ${reasonOf(error, texts)}`, remedy: "See the log for the cause." }, error)
    }
  }

  #configOf(manifest: Manifest): object {
    const { enabled: _, ...section } = structuredClone(this.#options.config[manifest.id] ?? {}) as Record<string, unknown>
    if (!manifest.config) {
      if (Object.keys(section).length > 0)
        throw new SetAside({ reason: `plugins.${manifest.id} has settings, and the plugin takes none`, remedy: "Remove them from the configuration." })
      return {}
    }
    const wrong = checkConfig(manifest.config, section, `plugins.${manifest.id}`)
    if (wrong) throw new SetAside({ reason: wrong, remedy: "Correct the key in the configuration, then start again." })
    return section
  }

  #withdraw(plugin: ActivePlugin): void {
    this.#active = this.#active.filter((active) => active !== plugin)
    this.#options.rooms.services.withdraw(plugin.manifest.id)
    this.#options.rooms.points.withdraw(plugin.manifest.id)
  }

  #setAside(plugin: { manifest: Manifest }, misfit: Misfit, error?: unknown): void {
    const { id, version } = plugin.manifest
    this.#states.set(id, { id, version, state: "failed", reason: misfit.reason, remedy: misfit.remedy })
    this.#options.rooms.log.error({ plugin: id, reason: misfit.reason, remedy: misfit.remedy, err: error }, "plugin set aside")
  }

  #publish(): void {
    const { rooms, cross, kernelTexts } = this.#options
    this.#hooks = new HookSet(
      this.#active.flatMap((plugin) => tapsOf(plugin, cross)),
      rooms.log,
    )
    this.current = pictureOf(this.#active, kernelTexts, cross)
    for (const listener of this.#listeners) listener(this.current)
  }

  #jobs(): ActiveJob[] {
    return this.#active.flatMap(({ manifest, parts }) =>
      Object.entries(manifest.jobs ?? {}).map(([name, decl]) => ({
        plugin: manifest.id,
        name,
        decl,
        run: async (data: object, caller: Caller, signal: AbortSignal) => {
          await (parts.jobs?.[name] as ((data: object, run: object) => Promise<void>) | undefined)?.(data, { caller, signal })
        },
      })),
    )
  }
}

class SetAside extends Error {
  readonly misfit: Misfit
  constructor(misfit: Misfit) {
    super(misfit.reason)
    this.misfit = misfit
  }
}

function tapsOf({ manifest, parts }: ActivePlugin, cross: Crossing): RegisteredTap[] {
  return Object.entries(manifest.hooks ?? {}).map(([hook, decl]) => {
    const run = parts.hooks?.[hook] as (value: unknown, context: HookContext) => unknown
    // A stream crosses piece by piece, in the service that carries it; everything else as one value.
    const crossing = async function crossTap(value: unknown, context: HookContext) {
      return cross(await run(cross(value), context))
    }
    const direct = cross === sameProcess || hookDefinitions[hook as HookName].kind === "transform"
    return { plugin: manifest.id, hook: hook as HookName, decl, run: (direct ? run : crossing) as RegisteredTap["run"] }
  })
}

/** A handler for each thing that is declared, and nothing else. The compiler says it too, but not to authors without one. */
function checkParts({ manifest, parts }: ActivePlugin): Misfit | null {
  for (const kind of ["routes", "rpc", "hooks", "jobs"] as const) {
    const declared = Object.keys(manifest[kind] ?? {})
    const given = Object.keys(parts[kind] ?? {})
    const missing = declared.find((name) => typeof parts[kind]?.[name] !== "function")
    if (missing) return { reason: `its handler ${kind}.${missing} is missing`, remedy: "Return a function under that name from its activation." }
    const extra = given.find((name) => !declared.includes(name))
    if (extra) return { reason: `its handler ${kind}.${extra} is not in its manifest`, remedy: `Declare ${extra} in the manifest, or remove the handler.` }
  }
  return null
}
