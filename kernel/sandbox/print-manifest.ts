import { join } from "node:path"
import type { Readable } from "node:stream"
import { text } from "node:stream/consumers"
import type { Manifest } from "@plugboard/sdk"
import { launch } from "./launch.ts"

export interface PrintedManifest {
  manifest: Manifest
  /** File of the folder whose default export is the plugin. */
  entry: string
}

const limits = { ms: 10_000, bytes: 4 << 20 }
const extension = import.meta.filename.endsWith(".ts") ? ".ts" : ".js"

/** The manifest of a folder in development, printed by a process without any capability: what its module does when it is imported, it does there. Rejects with what that process said. `within`: folder of its JavaScript, from `folder`. */
export async function printManifest(folder: string, within = ""): Promise<PrintedManifest> {
  const script = join(import.meta.dirname, "child", `print${extension}`)
  const launched = await launch({ folder, memoryMiB: 128, script, args: [folder, within] })
  launched.input.end()
  const timer = setTimeout(() => launched.kill(), limits.ms)
  try {
    const [printed, said, how] = await Promise.all([text(limited(launched.output, launched.kill)), text(limited(launched.errors, launched.kill)), launched.ended])
    if (how !== "it exited with code 0" || printed === "") throw new Error(`${folder} has no manifest that can be read: ${lastError(said) ?? how}`)
    return JSON.parse(printed) as PrintedManifest
  } finally {
    clearTimeout(timer)
    launched.kill()
  }
}

async function* limited(source: Readable, kill: () => void): AsyncIterable<Buffer> {
  let bytes = 0
  for await (const chunk of source as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > limits.bytes) {
      kill()
      return
    }
    yield chunk
  }
}

function lastError(said: string): string | undefined {
  return said
    .split("\n")
    .find((line) => /^\s*\w*Error\b[^(]*: /.test(line))
    ?.trim()
    .slice(0, 500)
}
