import { chmodSync, readdirSync } from "node:fs"
import { join, sep } from "node:path"
import { buffer } from "node:stream/consumers"
import { create } from "tar"

/** As npm writes it into its packages, so that the same files give the same bytes. */
const epoch = new Date("1985-10-26T08:15:00.000Z")

/** The folder as npm would pack it: gzipped, under `package/`, without owners, times or rights of this machine. */
export async function tarballOf(folder: string): Promise<Buffer> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .split(sep)
        .join("/"),
    )
    .sort()
  for (const file of files) chmodSync(join(folder, file), 0o644)
  return buffer(create({ gzip: { level: 9 }, portable: true, mtime: epoch, cwd: folder, prefix: "package", follow: false, jobs: 1 }, files) as unknown as AsyncIterable<Uint8Array>)
}
