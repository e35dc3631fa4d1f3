import type { Readable } from "node:stream"
import type { Log } from "@plugboard/sdk"
import { Budget } from "./budget.ts"
import { errorFrom } from "./wire/errors.ts"

const budget = { burst: 500, perSecond: 50 }
/** Characters of a line's text, and of its fields as JSON. */
const longest = { text: 2_000, fields: 8_000 }
/** What the gateway says of a line itself. */
const reserved = new Set(["level", "time", "msg", "plugin", "tenant", "run", "pid", "hostname", "__proto__"])
const levels = new Set(["debug", "info", "warn", "error"])

/** The log of a plugin that is not trusted: bounded in number and length, and in no name but its own. */
export class PluginLog {
  readonly #log: Log
  readonly #budget = new Budget(budget)
  #dropped = 0

  constructor(log: Log) {
    this.#log = log
  }

  /** What the plugin's process sends. */
  line(level: unknown, fields: unknown, text: unknown): void {
    if (!this.#admit()) return
    const write = this.#log[(typeof level === "string" && levels.has(level) ? level : "info") as "info"]
    write.call(this.#log, ownFields(fields), typeof text === "string" ? text.slice(0, longest.text) : "")
  }

  /** What the gateway has to say about it, which the plugin can bring about as often as it likes. */
  warn(fields: object, text: string): void {
    if (this.#admit()) this.#log.warn(fields, text)
  }

  /** What it prints, line by line; a line without an end is cut into several, and what it prints too fast waits in its pipe. */
  prints(source: Readable): void {
    let held = ""
    source.setEncoding("utf8")
    source.on("data", (chunk: string) => {
      const lines = (held + chunk).split("\n")
      held = lines.pop() ?? ""
      if (held.length > longest.text) {
        lines.push(held)
        held = ""
      }
      for (const line of lines) if (line !== "") this.line("info", { output: line.slice(0, longest.text) }, "plugin printed")
      if (this.#dropped === 0) return
      source.pause()
      setTimeout(() => source.resume(), 20)
    })
  }

  #admit(): boolean {
    if (!this.#budget.take()) {
      this.#dropped += 1
      return false
    }
    const dropped = this.#dropped
    this.#dropped = 0
    if (dropped > 0) this.#log.warn({ dropped }, "plugin logs too much; lines were dropped")
    return true
  }
}

function ownFields(fields: unknown): object {
  if (typeof fields !== "object" || fields === null) return {}
  const json = JSON.stringify(fields)
  if (json.length > longest.fields) return { cut: json.slice(0, longest.text) }
  const own = Object.fromEntries(Object.entries(fields).filter(([name]) => !reserved.has(name)))
  return "err" in own ? { ...own, err: errorFrom(own.err) } : own
}
