import { resolve } from "node:path"
import { asked } from "../packages/consent.ts"
import type { Candidate } from "../plugins/discover.ts"
import { type SandboxRooms, sandboxedCandidate } from "./candidate.ts"
import { printManifest } from "./print-manifest.ts"

/** A plugin from an author's folder: who runs it has written it, and grants what its manifest asks for. Each call is a build of its own. */
export async function folderCandidate(path: string, rooms: SandboxRooms, eager = false): Promise<Candidate> {
  const folder = resolve(path)
  const { manifest, entry } = await printManifest(folder)
  return sandboxedCandidate({ folder, manifest, entry, build: `${manifest.version} ${performance.now()}`, grants: asked(manifest), eager }, rooms)
}
