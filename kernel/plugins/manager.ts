import type { Life, PluginState, ServiceToken, Texts } from "@plugboard/sdk"
import { reasonOf } from "../failures.ts"
import { HookSet } from "../hooks/hook-set.ts"
import type { Registry, RegistrySource } from "../registry.ts"
import { type ActivePlugin, checkParts, jobsOf, tapsOf } from "./active.ts"
import { BackOff } from "./back-off.ts"
import type { Candidate } from "./discover.ts"
import { createHost, type HostRooms } from "./host.ts"
import { checkManifest, type Misfit, SetAside } from "./manifest-check.ts"
import { orderPlugins } from "./order.ts"
import { pictureOf } from "./picture.ts"
import type { Crossing } from "./services.ts"
import { loadTexts } from "./texts.ts"
import { configOf, settingsOf, type Wanted } from "./wanted.ts"

export interface ManagerOptions {
  rooms: HostRooms
  kernelTexts: Texts
  kernelServices: readonly ServiceToken<unknown>[]
  /** Copies what a call carries, as a process border would. */
  cross: Crossing
  migrate(candidate: Candidate): Promise<void>
  /** How long an instance that was replaced or switched off may take to end what it has begun, in ms. */
  drainMs: number
}

interface BringUp {
  wanted: Wanted
  loading: ReturnType<Candidate["load"]>
  /** What will run beside it. */
  beside: readonly ActivePlugin[]
  /** The instance that runs now. */
  old: ActivePlugin | undefined
  states: Map<string, PluginState>
}

const nobody: ReadonlySet<string> = new Set()

/**
 * Brings what runs to what is wanted, and keeps the picture of what the plugins contribute. A plugin that does not fit is set aside with its reason and remedy; the rest go on.
 * A changed one comes up beside its old instance, which ends what it has begun; one that does not come up leaves the old instance in place.
 */
export class PluginManager implements RegistrySource {
  readonly #options: ManagerOptions
  readonly #states = new Map<string, PluginState>()
  readonly #listeners = new Set<(registry: Registry) => void>()
  readonly #retiring = new Set<Promise<void>>()
  readonly #backOff = new BackOff()
  #active: readonly ActivePlugin[] = []
  #offFor: (id: string) => ReadonlySet<string> = () => nobody
  #partlyOff: readonly string[] = [] // Of those that some tenant does without: none, mostly, and each hook that is called asks.
  /** Hook sets by the plugins that are off; the tenants that do without the same ones share one. */
  #hookSets = new Map<string, HookSet>()
  #turn: Promise<unknown> = Promise.resolve()
  #stopped = false
  current: Registry

  constructor(options: ManagerOptions) {
    this.#options = options
    this.current = pictureOf([], options.kernelTexts, options.cross, this.isOff)
  }

  get states(): PluginState[] {
    return [...this.#states.values()].map((state) => this.#withCondition(state)).sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** One that runs in a process of its own may have given up since it came up. */
  #withCondition(state: PluginState): PluginState {
    const condition = state.state === "active" ? this.#active.find(({ id }) => id === state.id)?.parts.condition?.() : undefined
    return condition ? { ...state, state: "failed", reason: condition.reason, remedy: condition.remedy } : state
  }

  /** Returns the way to leave. */
  onChange(listener: (registry: Registry) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly isOff = (plugin: string, tenantId: string): boolean => this.#offFor(plugin).has(tenantId)

  /** The taps that a tenant's requests pass. */
  hooksFor(tenantId: string): HookSet {
    const off = this.#partlyOff.filter((id) => this.#offFor(id).has(tenantId))
    const key = off.join()
    let set = this.#hookSets.get(key)
    if (!set) {
      const taps = this.#active.filter(({ id }) => !off.includes(id)).flatMap((plugin) => tapsOf(plugin, this.#options.cross))
      set = new HookSet(taps, this.#options.rooms.log)
      this.#hookSets.set(key, set)
    }
    return set
  }

  /** The next convergence tries it, however often it has failed. */
  forgive(id: string): void {
    this.#backOff.forget(id)
  }

  /** One at a time, in the order asked for. Resolves when the new picture stands; instances that were replaced may still be ending. */
  converge(wanted: Wanted): Promise<void> {
    const mine = this.#turn.then(() => this.#converge(wanted))
    this.#turn = mine.catch(() => undefined)
    return mine
  }

  async #converge(wanted: Wanted): Promise<void> {
    if (this.#stopped) return
    this.#offFor = wanted.offFor
    const before = this.#active
    const states = new Map<string, PluginState>()
    const { ordered, aside } = orderPlugins(this.#enabled(wanted, states), this.#options.kernelServices)
    for (const { item, misfit } of aside) this.#setAside(states, item, misfit)
    const resting = new Map(ordered.map((candidate) => [candidate, this.#backOff.waits(candidate, settingsOf(candidate.manifest.id, wanted))]))
    const fresh = ordered.filter((candidate) => !resting.get(candidate) && !this.#unchanged(before, candidate, wanted))
    // Imports are the slow part and know no order; activation does.
    const loading = new Map(fresh.map((candidate) => [candidate, candidate.load()]))
    for (const pending of loading.values()) pending.catch(() => undefined)
    const next: ActivePlugin[] = []
    for (const candidate of ordered) {
      const old = before.find(({ id }) => id === candidate.manifest.id)
      const loaded = loading.get(candidate)
      const others = before.filter(({ id }) => id !== candidate.manifest.id && ordered.some(({ manifest }) => manifest.id === id) && !next.some((plugin) => plugin.id === id))
      const misfit = resting.get(candidate)
      if (misfit) states.set(candidate.manifest.id, restingState(candidate, misfit, old))
      const now = loaded ? await this.#bringUp(candidate, { wanted, loading: loaded, beside: [...next, ...others], old, states }) : old
      if (!now) continue
      next.push(now)
      if (!states.has(now.id)) states.set(now.id, stateOf(now))
    }
    this.#publish(next, states)
    await this.#start(
      next.filter((plugin) => !before.includes(plugin)),
      before,
    )
    for (const plugin of [...before].reverse()) if (!this.#active.includes(plugin)) this.#retire(plugin)
  }

  #enabled(wanted: Wanted, states: Map<string, PluginState>): Candidate[] {
    const seen = new Set<string>()
    return wanted.candidates.filter((candidate) => {
      const misfit = checkManifest(candidate.manifest, candidate.origin)
      if (misfit) {
        this.#setAside(states, candidate, misfit)
        return false
      }
      const { id, version } = candidate.manifest
      if (seen.has(id)) {
        this.#options.rooms.log.error({ plugin: id }, "plugin left out: there are two of its id")
        return false
      }
      seen.add(id)
      const reason = wanted.offReason(id)
      if (reason !== undefined) states.set(id, { id, version, origin: candidate.origin, state: "disabled", reason })
      return reason === undefined
    })
  }

  #unchanged(before: readonly ActivePlugin[], { manifest, build }: Candidate, wanted: Wanted): boolean {
    const old = before.find(({ id }) => id === manifest.id)
    return old !== undefined && old.candidate.build === build && old.settings === settingsOf(manifest.id, wanted)
  }

  /** The new instance; the old one when the new one does not come up; undefined when there is neither. */
  async #bringUp(candidate: Candidate, { wanted, loading, beside, old, states }: BringUp): Promise<ActivePlugin | undefined> {
    const { rooms, kernelTexts, cross } = this.#options
    const { manifest } = candidate
    const owner = { id: manifest.id }
    const undo: (() => void)[] = []
    let parts: ActivePlugin["parts"] | undefined
    try {
      const missing = (manifest.requires ?? []).find((token) => !rooms.services.has(token))
      if (missing)
        throw new SetAside({ reason: `it needs the service ${missing.service}, which is not there`, remedy: `See why the plugin that offers ${missing.service} is off.` })
      const config = configOf(candidate, wanted)
      const plugin = await loading
      await this.#options.migrate(candidate)
      parts = (await plugin.activate(createHost({ manifest, owner, undo, config }, rooms))) as ActivePlugin["parts"]
      // An owner by identity: what it has claimed is given up by this very object.
      const active: ActivePlugin = Object.assign(owner, { candidate, manifest, parts, undo, settings: settingsOf(manifest.id, wanted), texts: loadTexts(candidate.folder) })
      const misfit = checkParts(active)
      if (misfit) throw new SetAside(misfit)
      pictureOf([...beside, active], kernelTexts, cross, this.isOff)
      return active
    } catch (error) {
      this.#withdraw({ ...owner, undo }, owner)
      await parts?.stop?.().catch(() => undefined)
      const misfit = error instanceof SetAside ? error.misfit : this.#failed("activation", candidate, settingsOf(manifest.id, wanted), error)
      if (old) this.#keepOld(states, old, candidate, misfit, error)
      else this.#setAside(states, candidate, misfit, error)
      return old
    }
  }

  /** After all are there, so that each may use the others. */
  async #start(fresh: readonly ActivePlugin[], before: readonly ActivePlugin[]): Promise<void> {
    for (const plugin of fresh) {
      try {
        await plugin.parts.start?.()
      } catch (error) {
        this.#withdraw(plugin, plugin)
        await plugin.parts.stop?.().catch(() => undefined)
        const misfit = this.#failed("start", plugin.candidate, plugin.settings, error)
        const old = before.find(({ id }) => id === plugin.id)
        if (old) this.#keepOld(this.#states, old, plugin.candidate, misfit, error)
        else this.#setAside(this.#states, plugin.candidate, misfit, error)
        this.#publish(
          this.#active.flatMap((active) => (active !== plugin ? [active] : old ? [old] : [])),
          this.#states,
        )
      }
    }
  }

  /** Ends an instance that nothing new goes to any more. */
  #retire(plugin: ActivePlugin): void {
    const { rooms, drainMs } = this.#options
    this.#withdraw(plugin, plugin)
    const ending = this.#ending(plugin, async (parts) => {
      await parts.drain?.(AbortSignal.timeout(drainMs))
      await parts.stop?.()
    }).then(() => {
      rooms.log.info({ plugin: plugin.id, version: plugin.manifest.version }, "plugin instance ended")
      this.#retiring.delete(ending)
    })
    this.#retiring.add(ending)
  }

  /** Last activated first: whoever uses a service ends before it. */
  async drain(signal: AbortSignal): Promise<void> {
    await this.#turn
    this.#stopped = true
    for (const plugin of [...this.#active].reverse()) await this.#ending(plugin, async (parts) => parts.drain?.(signal))
  }

  async stop(): Promise<void> {
    for (const plugin of [...this.#active].reverse()) await this.#ending(plugin, async (parts) => parts.stop?.())
    await Promise.all(this.#retiring)
  }

  async #ending(plugin: ActivePlugin, work: (parts: Life) => Promise<void>): Promise<void> {
    try {
      await work(plugin.parts)
    } catch (error) {
      this.#options.rooms.log.warn({ err: error, plugin: plugin.id }, "plugin failed while it was stopped")
    }
  }

  #withdraw({ undo }: Pick<ActivePlugin, "undo">, owner: { id: string }): void {
    const { services, points } = this.#options.rooms
    services.withdraw(owner)
    points.withdraw(owner)
    for (const end of undo) end()
  }

  #failed(what: "activation" | "start", candidate: Candidate, settings: string, error: unknown): Misfit {
    const { manifest, folder } = candidate
    const texts = new Map([
      ["kernel", this.#options.kernelTexts],
      [manifest.id, loadTexts(folder)],
    ])
    const misfit = { reason: `its ${what} failed: ${reasonOf(error, texts)}`, remedy: `See the log for the cause. To try it again: plugboard plugins enable ${manifest.id}` }
    this.#backOff.note(candidate, settings, misfit)
    return misfit
  }

  #setAside(states: Map<string, PluginState>, { manifest, origin }: Candidate, { reason, remedy }: Misfit, error?: unknown): void {
    const { id, version } = manifest
    states.set(id, { id, version, origin, state: "failed", reason, remedy })
    this.#options.rooms.log.error({ plugin: id, reason, remedy, err: error }, "plugin set aside")
  }

  #keepOld(states: Map<string, PluginState>, old: ActivePlugin, { manifest }: Candidate, { reason, remedy }: Misfit, error: unknown): void {
    const { id, version } = manifest
    states.set(id, { ...stateOf(old), pending: { version, reason, remedy } })
    this.#options.rooms.log.error({ plugin: id, version, kept: old.manifest.version, reason, remedy, err: error }, "plugin not upgraded; its old instance goes on")
  }

  #publish(active: readonly ActivePlugin[], states: Map<string, PluginState>): void {
    const { rooms, cross, kernelTexts } = this.#options
    this.#active = active
    this.#partlyOff = active.map(({ id }) => id).filter((id) => this.#offFor(id).size > 0)
    if (states !== this.#states) {
      this.#states.clear()
      for (const [id, state] of states) this.#states.set(id, state)
    }
    this.#hookSets = new Map()
    this.current = pictureOf(active, kernelTexts, cross, this.isOff)
    for (const listener of this.#listeners) listener(this.current)
    rooms.jobs.use(active.flatMap(jobsOf))
  }
}

function stateOf({ id, manifest, candidate }: ActivePlugin): PluginState {
  return { id, version: manifest.version, origin: candidate.origin, state: "active" }
}

/** Of one that is not tried for a while: what it was after it had failed. */
function restingState({ manifest: { id, version }, origin }: Candidate, { reason, remedy }: Misfit, old: ActivePlugin | undefined): PluginState {
  return old ? { ...stateOf(old), pending: { version, reason, remedy } } : { id, version, origin, state: "failed", reason, remedy }
}
