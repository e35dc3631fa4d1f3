import { type Caller, type FailureData, failureOf, type Host, type Manifest } from "@plugboard/sdk"
import { fail } from "../failures.ts"
import type { Misfit } from "../plugins/manifest-check.ts"
import type { Bridge } from "./bridge.ts"
import { type LentCaller, LentCallers } from "./callers.ts"
import type { Init, Registration } from "./contract.ts"
import { PluginProcess } from "./process.ts"
import { checkRegistration } from "./registration.ts"
import { IncomingStream } from "./wire/streams.ts"

export interface InstanceOptions {
  manifest: Manifest
  host: Host
  folder: string
  memoryMiB: number
  init(): Init
  bridge(callers: LentCallers): Bridge
  told(method: string, args: readonly unknown[]): boolean
  /** True inside a transaction of the caller's: it would be held for as long as the plugin takes, and on the embedded database it would wait for itself. */
  inTransaction(): boolean
  /** Each new process, once it is ready. */
  ready(process: PluginProcess): void
}

/** Crashes within the span after which a plugin stays off, and waits between starts, in ms. */
const crashes = { most: 5, spanMs: 300_000, firstWaitMs: 200, longestWaitMs: 30_000 }
const drainMs = 30_000

/** A plugin in a process of its own: started when first needed, started anew after a crash, off after too many. */
export class Instance {
  readonly #options: InstanceOptions
  readonly callers = new LentCallers()
  #running: Promise<PluginProcess> | undefined
  #crashes: number[] = []
  #notBefore = 0
  #off: Misfit | null = null
  #stopping = false

  constructor(options: InstanceOptions) {
    this.#options = options
  }

  /** Why it answers nothing any more; null while it does. */
  condition(): Misfit | null {
    return this.#off
  }

  async start(): Promise<Registration> {
    return (await this.#process()).registration
  }

  /**
   * One call of the plugin for `caller`, who is lent to it for as long as the call, or the stream that it answers, goes on.
   * Fails with `kernel.plugin_failed` when the process ends meanwhile, and `kernel.plugin_timeout` past `limitMs`.
   */
  async call(method: string, args: (lent: LentCaller | null) => readonly unknown[], { caller, signal, limitMs, keep, until }: CallOptions): Promise<unknown> {
    if (this.#options.inTransaction())
      throw new Error(`plugin ${this.#options.manifest.id} was called inside a transaction, which would hold its locks for as long as the call takes`)
    const process = await this.#process()
    const lent = caller ? this.callers.lend(caller) : null
    const ends = new AbortController()
    const forward = () => ends.abort(signal?.reason)
    signal?.addEventListener("abort", forward, { once: true })
    const timer = limitMs === undefined ? undefined : setTimeout(() => ends.abort(fail("plugin_timeout", { plugin: this.#options.manifest.id, ms: limitMs })), limitMs)
    let lasting = false
    const done = () => {
      signal?.removeEventListener("abort", forward)
      if (lent) this.callers.takeBack(lent)
    }
    try {
      if (signal?.aborted) throw signal.reason
      const answer = await process.call(method, args(lent), ends.signal)
      const stream = keep?.(answer)
      if (stream) {
        lasting = true
        return stream.wrap(this.#until(stream.source, signal, done))
      }
      const later = until?.(answer)
      if (later) {
        lasting = true
        later.then(done, done)
      }
      return answer
    } catch (error) {
      throw this.#ofPlugin(error)
    } finally {
      clearTimeout(timer)
      if (!lasting) done()
    }
  }

  async *#until(source: AsyncIterable<unknown>, signal: AbortSignal | undefined, done: () => void): AsyncIterable<unknown> {
    const abandon = () => source instanceof IncomingStream && source.abandon(signal?.reason)
    signal?.addEventListener("abort", abandon, { once: true })
    try {
      if (signal?.aborted) abandon()
      yield* source
    } catch (error) {
      throw this.#ofPlugin(error)
    } finally {
      signal?.removeEventListener("abort", abandon)
      done()
    }
  }

  /** What the plugin throws: a failure that it declares keeps its kind as declared; of others it may pass on all but those that end a login. */
  #ofPlugin(error: unknown): unknown {
    const { id, errors } = this.#options.manifest
    const failure = failureOf(error)
    if (!failure) return error
    const own = failure.name.startsWith(`${id}.`) ? errors?.[failure.name.slice(id.length + 1)] : undefined
    if (own) return Object.assign(error as object, { failure: { ...failure, kind: own.kind, openai: own.openai, text: failure.text?.slice(0, 2_000) } satisfies FailureData })
    if (failure.kind !== "UNAUTHENTICATED" && failure.kind !== "TENANT_ACCESS_REVOKED") return error
    return fail("plugin_failed", { plugin: id, reason: `it failed with ${failure.name}, which is not its to say` })
  }

  /** What is told to the process when there is one. */
  tell(method: string, args: readonly unknown[]): void {
    this.#running?.then(
      (process) => {
        try {
          process.tell(method, args)
        } catch (err) {
          this.#options.host.log.warn({ err, method }, "message to a plugin cannot cross")
        }
      },
      () => undefined,
    )
  }

  #process(): Promise<PluginProcess> {
    const { id } = this.#options.manifest
    if (this.#off) return Promise.reject(fail("plugin_failed", { plugin: id, reason: this.#off.reason }))
    if (this.#stopping) return Promise.reject(fail("plugin_failed", { plugin: id, reason: "it is being stopped" }, { retryAfterMs: 1_000 }))
    if (this.#running) return this.#running
    const waitMs = this.#notBefore - performance.now()
    if (waitMs > 0) return Promise.reject(fail("plugin_failed", { plugin: id, reason: "it has crashed and is started again in a moment" }, { retryAfterMs: Math.ceil(waitMs) }))
    const running = this.#begin()
    this.#running = running
    running.catch((error: Error) => this.#crashed(running, error.message))
    return running
  }

  async #begin(): Promise<PluginProcess> {
    const { manifest, host, folder, memoryMiB, init, bridge, told, ready } = this.#options
    const process = await PluginProcess.start({ manifest, host, folder, memoryMiB, init: init(), bridge: bridge(this.callers), told })
    try {
      checkRegistration(manifest, process.registration)
      const running = this.#running
      void process.ended.then((reason) => running && this.#crashed(running, reason))
      if (process.registration.life.includes("start")) await process.call("life", ["start"], AbortSignal.timeout(drainMs))
      ready(process)
      return process
    } catch (error) {
      process.kill((error as Error).message)
      throw error
    }
  }

  #crashed(running: Promise<PluginProcess>, reason: string): void {
    if (this.#running !== running) return
    this.#running = undefined
    this.callers.clear()
    if (this.#stopping) return
    const { manifest, host } = this.#options
    const now = performance.now()
    this.#crashes = [...this.#crashes.filter((at) => at > now - crashes.spanMs), now]
    const count = this.#crashes.length
    const waitMs = Math.min(crashes.longestWaitMs, crashes.firstWaitMs * 2 ** (count - 1))
    this.#notBefore = now + waitMs
    host.log.warn({ reason, crashes: count, waitMs }, "plugin process ended by itself")
    if (count >= crashes.most) {
      this.#off = {
        reason: `its process has ended ${count} times within ${crashes.spanMs / 60_000} minutes; the last time: ${reason}`,
        remedy: `Correct it, then run: plugboard plugins enable ${manifest.id}`,
      }
      host.log.error({ ...this.#off }, "plugin stays off")
    } else if (needsProcess(manifest) || mustBeWarm(manifest)) setTimeout(() => void this.#process().catch(() => undefined), waitMs).unref()
  }

  /** Takes no new call, lets those under way end, then ends the process. */
  async stop(): Promise<void> {
    const process = await this.#running?.catch(() => undefined)
    const end = performance.now() + drainMs
    while (process && process.busy > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20))
    this.#stopping = true
    if (!process) return
    for (const name of ["drain", "stop"] as const)
      if (process.registration.life.includes(name)) await process.call("life", [name], AbortSignal.timeout(5_000)).catch(() => undefined)
    process.kill("it was stopped")
    await process.ended
  }
}

export interface CallOptions {
  caller: Caller | undefined
  signal?: AbortSignal
  /** Until the answer; a stream may go on longer. */
  limitMs?: number
  /** The stream in an answer, and how the answer looks around it. */
  keep?(answer: unknown): { source: AsyncIterable<unknown>; wrap(stream: AsyncIterable<unknown>): unknown } | undefined
  /** When the caller is taken back for an answer behind which work goes on; with the answer itself when left out. */
  until?(answer: unknown): Promise<unknown> | undefined
}

/** True for what others find without calling it: it must be there before anybody asks. */
export function needsProcess(manifest: Manifest): boolean {
  return Boolean(manifest.contributes?.length || manifest.offers?.length || manifest.opens?.length || manifest.listens?.length)
}

/** True for a tap that requests fail without: its time limit is shorter than a start may take on a busy machine. */
export function mustBeWarm(manifest: Manifest): boolean {
  return Object.values(manifest.hooks ?? {}).some((tap) => tap?.failure === "closed")
}
