import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Manifest, Plugin } from "@plugboard/sdk"

/** A plugin that could be activated. `load` imports its code, so a plugin that is off costs nothing. */
export interface Candidate {
  manifest: Manifest
  load(): Promise<Plugin>
  /** Folder with `texts/`; undefined: the plugin has no texts. */
  folder: string | undefined
  /** Folder of its `0001_*.sql` files; undefined: it has no tables. */
  migrations: string | undefined
  /** `bundled`: trusted, in this process. `package`: anybody's, in a process of its own. */
  origin: "bundled" | "package"
  /** Changes with its code: what has the same build and the same settings is left running. */
  build: string
}

/** `.ts` in the repository, `.js` in the package: whatever this file is. */
const extension = import.meta.filename.endsWith(".ts") ? ".ts" : ".js"
const root = join(import.meta.dirname, "..", "..")

/** The bundled plugins: each folder of `plugins/` with a manifest. Their manifests are imported, which is cheap; their code is not. */
export async function bundledPlugins(): Promise<Candidate[]> {
  const folders = readdirSync(join(root, "plugins"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, "plugins", entry.name, `manifest${extension}`)))
    .map((entry) => join(root, "plugins", entry.name))
  return Promise.all(
    folders.map(async (folder): Promise<Candidate> => {
      const { manifest } = (await importFile(join(folder, `manifest${extension}`))) as { manifest: Manifest }
      return {
        manifest,
        folder,
        origin: "bundled",
        build: manifest.version,
        migrations: existing(migrationsRoot(), manifest.id),
        load: async () => ((await importFile(join(folder, `index${extension}`))) as { default: Plugin }).default,
      }
    }),
  )
}

/** Migrations lie beside the code in the repository, and one level up from the compiled code in the package. */
function migrationsRoot(): string {
  const beside = join(root, "migrations")
  return existsSync(beside) ? beside : join(root, "..", "migrations")
}

export function kernelMigrations(): string {
  return join(migrationsRoot(), "kernel")
}

/** A plugin that a test hands over as an object. */
export function givenPlugin(plugin: Plugin, folder?: string): Candidate {
  return {
    manifest: plugin.manifest,
    folder,
    origin: "bundled",
    build: plugin.manifest.version,
    migrations: folder === undefined ? undefined : existing(folder, "migrations", plugin.manifest.id),
    load: async () => plugin,
  }
}

function existing(...parts: string[]): string | undefined {
  const path = join(...parts)
  return existsSync(path) ? path : undefined
}

function importFile(path: string): Promise<unknown> {
  return import(pathToFileURL(path).href)
}
