import { misfitOfSettings } from "../packages/settings-check.ts"
import type { Candidate } from "./discover.ts"
import { SetAside } from "./manifest-check.ts"

/** What is to run, as configuration and database have it. */
export interface Wanted {
  candidates: readonly Candidate[]
  /** Settings by plugin id; checked against each plugin's schema. */
  config: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** The reason why a plugin is off; undefined: it is on. */
  offReason(id: string): string | undefined
  /** Tenants that do without a plugin. */
  offFor(id: string): ReadonlySet<string>
}

/** Another text means another activation. */
export function settingsOf(id: string, wanted: Wanted): string {
  return JSON.stringify(wanted.config[id] ?? {})
}

/** A plugin's settings as its own schema has them, with its defaults. */
export function configOf({ manifest, origin }: Candidate, wanted: Wanted): object {
  const { enabled: _, ...section } = structuredClone(wanted.config[manifest.id] ?? {}) as Record<string, unknown>
  const wrong = misfitOfSettings(manifest, origin, section, `plugins.${manifest.id}`)
  if (wrong) throw new SetAside({ reason: wrong, remedy: "Correct the key in the configuration, then start again." })
  return section
}
