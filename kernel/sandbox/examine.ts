import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import type { Finding } from "../command/doctor.ts"
import { borders } from "./borders.ts"
import { launch } from "./launch.ts"

interface Found {
  files: boolean
  processes: boolean
  network: boolean
  signals: boolean
  user: number
}

const extension = import.meta.filename.endsWith(".ts") ? ".ts" : ".js"
const limitMs = 10_000

/** Which border around a plugin's process holds on this machine: tried out by such a process, and what the system adds. */
export async function examineSandbox(): Promise<Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), "plugboard-doctor-"))
  try {
    const [own, other] = [join(folder, "own"), join(folder, "other")]
    mkdirSync(own)
    writeFileSync(other, "")
    const probe = await launch({ folder: own, memoryMiB: 128, script: join(import.meta.dirname, "child", `probe${extension}`), args: [String(process.pid), other] })
    const timer = setTimeout(() => probe.kill(), limitMs)
    const [printed] = await Promise.all([text(probe.output), probe.ended])
    clearTimeout(timer)
    const found = JSON.parse(printed) as Found
    const { namespaces, user, memory, end } = await borders()
    const held = [!found.files && "other files", !found.processes && "other programs", !found.network && "the network"].filter(Boolean)
    return [
      {
        ok: held.length === 3,
        what: `a plugin's process is kept from ${held.join(", ") || "nothing"}`,
        remedy: "Run it on the Node.js that `npm install` brings; do not enable plugins that are not bundled here.",
      },
      said(
        namespaces,
        "namespaces of its own: it sees no process of this machine",
        "It can see which processes there are; signals to them are taken from it before its code runs. `unshare` of util-linux closes that.",
      ),
      said(memory, "a memory limit of the system's", "The gateway looks at its memory four times a second and ends it. `prlimit` of util-linux closes the gap."),
      said(end, "an end with the gateway's, however that ends", "One that is busy with itself outlives a gateway that was killed. `setpriv` of util-linux ends it."),
      said(
        user,
        "a user of its own, where others may read its folder",
        "It runs as the gateway's user, behind Node's permission model. Run the gateway as root, or each gateway as a user of its own.",
      ),
    ]
  } catch (error) {
    return [{ ok: false, what: "a plugin's process", remedy: `It does not start: ${(error as Error).message}` }]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What the system does not offer is no fault of the installation: it is said, with what stands in. */
function said(holds: boolean, what: string, otherwise: string): Finding {
  return holds ? { ok: true, what: `plugins: ${what}` } : { ok: true, what: `plugins: without ${what}. ${otherwise}` }
}
