#!/usr/bin/env node
// The `plugboard` command of the package. Must run on old Node.js: no imports but node:*, no syntax past ES2022.
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

const oldest = 24
const main = fileURLToPath(new URL("./main.js", import.meta.url))

/** The machine's own Node.js when it is new enough, else the one that came with the package. */
function runtime(): string | undefined {
  if (Number(process.versions.node.split(".")[0]) >= oldest) return process.execPath
  const platform = process.platform === "win32" ? "win" : process.platform
  const prefix = platform === "darwin" && process.arch === "arm64" ? "node-bin" : "node"
  try {
    return createRequire(import.meta.url).resolve(`${prefix}-${platform}-${process.arch}/bin/node${platform === "win" ? ".exe" : ""}`)
  } catch {
    return undefined
  }
}

const node = runtime()
if (node === undefined) {
  process.stderr.write(
    `Plugboard needs Node.js ${oldest} or newer; this is ${process.versions.node}, and no newer one came for ${process.platform} ${process.arch}. Install one, then try again.\n`,
  )
  process.exitCode = 2
} else {
  // Started anew, since the flag cannot be set later: without it any local process of this user could open the inspector by a signal.
  const args = ["--disable-sigusr1", main, ...process.argv.slice(2)]
  // Takes the place of this process where the machine's Node.js and system can; else signals are handed on.
  if (process.platform !== "win32") process.execve?.(node, [node, ...args], process.env)
  const child = spawn(node, args, { stdio: "inherit" })
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => child.kill(signal))
  child.once("exit", (code, signal) => {
    process.exitCode = code ?? (signal ? 1 : 0)
  })
}
