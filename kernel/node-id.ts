import { randomUUID } from "node:crypto"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** `id` stays over restarts of one data folder, so that a restarted gateway knows which runs were its own; `boot` is new with each process. */
export function nodeIdentity(dataDir: string): { id: string; boot: string } {
  const path = join(dataDir, "node.id")
  const boot = randomUUID()
  try {
    return { id: readFileSync(path, "utf8").trim(), boot }
  } catch {
    const id = randomUUID()
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    writeFileSync(path, id, { mode: 0o600 })
    return { id, boot }
  }
}
