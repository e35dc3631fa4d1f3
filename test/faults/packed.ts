import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { create } from "tar"

/** A packed plugin from its files, as `plugboard plugins pack` would make it. */
export async function packed(manifest: { id: string; version: string }, index: string, more: Record<string, string> = {}): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), "plugboard-packed-"))
  const files = {
    "package.json": JSON.stringify({ name: manifest.id, version: manifest.version, type: "module", plugboard: "./plugboard.json" }),
    "plugboard.json": JSON.stringify({ format: 1, manifest, entry: "index.js", sdk: "1.0.0" }),
    "index.js": index,
    ...more,
  }
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, "package", path)), { recursive: true })
      writeFileSync(join(folder, "package", path), text)
    }
    await create({ gzip: true, cwd: folder, file: join(folder, "package.tgz"), portable: true }, ["package"])
    return readFileSync(join(folder, "package.tgz"))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
