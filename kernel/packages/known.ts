import type { Grants, Manifest, Queries } from "@plugboard/sdk"
import type { Candidate } from "../plugins/discover.ts"
import { allConsents, allPackages, allPlugins, type PackageRow, type PluginRow } from "./store.ts"

/** One plugin as configuration and database have it, whether it runs or not. */
export interface KnownPlugin {
  id: string
  origin: "bundled" | "package"
  /** Of the version that may run; of the one that waits when there is none. */
  manifest: Manifest
  /** What somebody has decided; undefined for a bundled plugin that is as it came. */
  row: PluginRow | undefined
  /** It came with the gateway, or with the start of it: there is no package. */
  bundled: Candidate | undefined
  /** What may run: the wanted package when it is agreed to, else the one before. */
  runs: GrantedPackage | undefined
  /** The wanted package, when nobody has agreed to it. */
  waits: PackageRow | undefined
  /** What runs when `runs` does not come up; also where a rollback leads. */
  previous: GrantedPackage | undefined
}
export interface GrantedPackage extends PackageRow {
  grants: Grants
}

/** Everything that is known of plugins now, by id. */
export async function knownPlugins(db: Queries, bundled: readonly Candidate[]): Promise<Map<string, KnownPlugin>> {
  const [rows, packages, consents] = [await allPlugins(db), await allPackages(db), await allConsents(db)]
  const known = new Map<string, KnownPlugin>()
  for (const candidate of bundled) {
    const { manifest } = candidate
    const row = rows.find(({ id, origin }) => id === manifest.id && origin === "bundled")
    known.set(manifest.id, { id: manifest.id, origin: candidate.origin, manifest, row, bundled: candidate, runs: undefined, waits: undefined, previous: undefined })
  }
  const granted = (id: string, hash: string | null): GrantedPackage | undefined => {
    const found = packages.find((one) => one.hash === hash)
    const consent = consents.find(({ plugin_id, contents }) => plugin_id === id && contents === hash)
    return found && consent && { ...found, grants: consent.capabilities }
  }
  for (const row of rows) {
    // A later release of the gateway may bring what was added before: the bundled one counts.
    if (row.origin !== "package" || known.has(row.id)) continue
    const wanted = packages.find(({ hash }) => hash === row.package_hash)
    if (!wanted) continue
    const [current, before] = [granted(row.id, row.package_hash), granted(row.id, row.previous_hash)]
    known.set(row.id, {
      id: row.id,
      origin: "package",
      manifest: (current ?? before ?? wanted).contents.manifest,
      row,
      bundled: undefined,
      runs: current ?? before,
      waits: current ? undefined : wanted,
      previous: before,
    })
  }
  return new Map([...known].sort(([a], [b]) => (a < b ? -1 : 1)))
}
