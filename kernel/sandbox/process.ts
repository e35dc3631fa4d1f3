import type { Host, Manifest } from "@plugboard/sdk"
import { fail } from "../failures.ts"
import type { Bridge } from "./bridge.ts"
import type { Init, Registration } from "./contract.ts"
import { type Launched, launch } from "./launch.ts"
import { PluginLog } from "./plugin-log.ts"
import { Peer } from "./wire/peer.ts"

export interface ProcessOptions {
  manifest: Manifest
  host: Host
  folder: string
  memoryMiB: number
  init: Init
  bridge: Bridge
  /** A message of the process that is not the bridge's; true: it was one. */
  told(method: string, args: readonly unknown[]): boolean
}

/** Times in ms: until the plugin is activated; between looks at the process; between questions whether it is there while it has nothing to do; without an answer, which means that its event loop stands still. */
const limits = { start: 15_000, look: 250, idle: 10_000, silence: 10_000 }
/** Calls that the process may have under way here. Its own runtime keeps to half of that; more is no accident. */
const mostCalls = 1_000
/** Bytes of its calls under way and of streams that nobody has read yet: eight frames of the largest size. */
const mostBytes = 128 << 20
/** Bytes that the process has not taken; it is given no events then. */
const backlogLimit = 8 << 20

/** One process of a plugin, from its start to its end. */
export class PluginProcess {
  readonly #options: ProcessOptions
  readonly #launched: Launched
  readonly #peer: Peer
  #reason: string | undefined
  readonly #log: PluginLog
  registration!: Registration
  /** Resolves with why it ended. */
  readonly ended: Promise<string>

  private constructor(options: ProcessOptions, launched: Launched) {
    this.#options = options
    this.#launched = launched
    const { bridge } = options
    this.#log = new PluginLog(options.host.log)
    this.#peer = new Peer({
      input: launched.output,
      output: launched.input,
      mostCalls,
      mostBytes,
      mostOwnCalls: 10_000,
      paced: true,
      sendStacks: false,
      serve: (method, args, signal) => bridge.serve(method, args, signal),
      told: (method, args) => this.#told(method, args),
      broken: (reason) => this.kill(reason),
    })
    this.#log.prints(launched.errors)
    this.ended = launched.ended.then((how) => {
      const reason = this.#reason ?? how
      this.#peer.close(fail("plugin_failed", { plugin: options.manifest.id, reason }, { retryAfterMs: 1_000 }))
      bridge.close()
      return reason
    })
    this.#watch()
  }

  /** Rejects with the reason when it does not come up; nothing is left running then. */
  static async start(options: ProcessOptions): Promise<PluginProcess> {
    const started = new PluginProcess(options, await launch({ folder: options.folder, memoryMiB: options.memoryMiB }))
    const late = AbortSignal.timeout(limits.start)
    try {
      started.registration = (await started.#peer.call("init", [options.init], late)) as Registration
      return started
    } catch (error) {
      started.kill(late.aborted ? `it was not ready within ${limits.start / 1_000} s` : (error as Error).message)
      throw late.aborted ? new Error(`it was not ready within ${limits.start / 1_000} s`) : error
    }
  }

  get busy(): number {
    return this.#peer.busy
  }

  call(method: string, args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    return this.#peer.call(method, args, signal)
  }

  /** For events and the like: dropped while the process does not read. */
  tell(method: string, args: readonly unknown[]): void {
    if (this.#launched.input.writableLength < backlogLimit) this.#peer.tell(method, args)
    else this.#log.warn({ method }, "plugin does not read; a message was dropped")
  }

  kill(reason: string): void {
    this.#reason ??= reason
    this.#launched.kill()
  }

  #told(method: string, args: readonly unknown[]): void {
    try {
      if (!Array.isArray(args)) throw new TypeError("a message has no list of arguments")
      if (method === "log") this.#log.line(args[0], args[1], args[2])
      else if (!this.#options.told(method, args)) this.#options.bridge.told(method, args)
    } catch (err) {
      this.#log.warn({ err, method: String(method).slice(0, 100) }, "message of a plugin refused")
    }
  }

  /** Memory and life signs, for as long as it runs. */
  #watch(): void {
    const mostHeld = this.#options.memoryMiB * 1_048_576
    let asked = 0
    let answered = 0
    const clock = setInterval(() => {
      const held = this.#launched.rss()
      if (held !== undefined && held > mostHeld) this.kill(`it held ${Math.round(held / 1_048_576)} MiB, and ${this.#options.memoryMiB} are the most`)
      const now = performance.now()
      if (asked > 0) {
        if (now - asked > limits.silence) this.kill(`it did not answer for ${limits.silence / 1_000} s`)
      } else if (this.registration && (this.busy > 0 || now - answered > limits.idle)) {
        asked = now
        this.#peer.call("ping", []).then(
          () => {
            asked = 0
            answered = performance.now()
          },
          () => undefined,
        )
      }
    }, limits.look)
    clock.unref()
    void this.ended.then(() => clearInterval(clock))
  }
}
