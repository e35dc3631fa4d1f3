import { watch } from "node:fs"
import { resolve } from "node:path"
import type { PluginState } from "@plugboard/sdk"
import type { Command } from "commander"
import { loadConfig } from "../config.ts"
import type { RunningGateway } from "../gateway.ts"
import { PackageError } from "../packages/package-error.ts"
import { lineOf, lineOfLog } from "./dev-lines.ts"
import { timed } from "./timed-candidate.ts"

/** Editors save in several steps; what comes within this time is one change, in ms. */
const quietMs = 150
/** Not the plugin's own: what npm, git, an editor and a gateway write. */
const notWatched = ["node_modules", "node_modules/**", "data/**", "*.tgz", "**/.*", "**/.*/**", "**/*~"]

/** `plugboard plugins dev FOLDER`. */
export function registerDev(plugins: Command): void {
  plugins.command("dev [folder]").description("Run a gateway with the plugin in a folder, in a process of its own and anew on each save.").action(develop)
}

async function develop(path = "."): Promise<void> {
  const folder = resolve(path)
  const { printManifest } = await import("../sandbox/print-manifest.ts")
  const { manifest } = await printManifest(folder).catch((error: Error) => {
    throw new PackageError(error.message, "Correct it, then start again; npx plugboard plugins create writes a plugin to start from.", error)
  })
  const { id } = manifest
  const print = (line: string | undefined) => line !== undefined && process.stdout.write(`${line}\n`)
  const { startGateway } = await import("../gateway.ts")
  const gateway = await startGateway(
    { ...loadConfig(process.env), logLevel: "debug" },
    {
      sandboxed: [folder],
      eager: true,
      around: (candidate) => timed(candidate, ({ kind, name, ms, failed }) => print(lineOf(id, failed ? "failed" : "took", `${kind} ${name}  ${ms.toFixed(1)} ms`))),
      write: (line) => print(lineOfLog(line, id)),
    },
  )
  const tell = (word: string, text: string) => print(lineOf(id, word, text))
  tell(...wordsFor(gateway.plugins.find((state) => state.id === id)))
  print(lineOf("gateway", "ready", `${gateway.url}, docs at ${gateway.url}/docs; saving a file in ${folder} brings the plugin up anew`))
  const stop = follow(folder, () => renew(gateway, folder, tell))
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      stop()
      void gateway.close().finally(() => process.exit(0))
    })
  }
}

async function renew(gateway: RunningGateway, folder: string, tell: (word: string, text: string) => void): Promise<void> {
  const began = performance.now()
  try {
    const state = await gateway.renew(folder)
    tell(...wordsFor(state, performance.now() - began))
  } catch (error) {
    tell("kept", `the one before goes on: ${(error as Error).message}`)
  }
}

/** What became of it: a word, and a sentence. */
function wordsFor(state: PluginState | undefined, ms?: number): [word: string, text: string] {
  if (!state) return ["failed", "it is not there"]
  const { pending, reason = "", remedy = "" } = state
  if (pending) return ["kept", `${state.version} goes on; the new one does not come up: ${pending.reason}. ${pending.remedy}`]
  if (state.state !== "active") return ["failed", `${reason}. ${remedy}`]
  return ["up", `${state.version}${ms === undefined ? "" : ` anew in ${Math.round(ms)} ms`}`]
}

/** Calls `changed` after each save, one call at a time. Returns the way to stop. */
function follow(folder: string, changed: () => Promise<void>): () => void {
  let timer: NodeJS.Timeout | undefined
  let turn = Promise.resolve()
  const watcher = watch(folder, { recursive: true, ignore: notWatched }, () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      turn = turn.then(changed)
    }, quietMs)
  })
  return () => {
    clearTimeout(timer)
    watcher.close()
  }
}
