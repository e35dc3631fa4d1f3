import type { SecretBox } from "../secrets.ts"
import { masterTenantId } from "../tenancy.ts"
import { type Json, keysOf, mergeSettings, openSettings } from "./settings.ts"
import type { PluginRow } from "./store.ts"

/** What the configuration file says of plugins, and where it lies. */
export interface ConfigurationFile {
  path: string
  plugins: Readonly<Record<string, Json>>
}

/** Settings of plugins: what the database holds, under what the file says. */
export class Configured {
  readonly #file: ConfigurationFile
  readonly #secrets: SecretBox

  constructor(file: ConfigurationFile, secrets: SecretBox) {
    this.#file = file
    this.#secrets = secrets
  }

  get path(): string {
    return this.#file.path
  }

  /** Settings that the file names, without whether the plugin is on. */
  fileOf(id: string): Json {
    const { enabled: _, ...settings } = this.#file.plugins[id] ?? {}
    return settings
  }

  /** Undefined: the file leaves it to the database. */
  fixedEnabled(id: string): boolean | undefined {
    const { enabled } = this.#file.plugins[id] ?? {}
    return typeof enabled === "boolean" ? enabled : undefined
  }

  /** Keys that only the file can change. */
  lockedOf(id: string): string[] {
    return keysOf(this.#file.plugins[id] ?? {})
  }

  isEnabled(id: string, row: PluginRow | undefined): boolean {
    return this.fixedEnabled(id) ?? row?.enabled ?? true
  }

  /** Why it is off; undefined when it is on. */
  offReason(id: string, row: PluginRow | undefined): string | undefined {
    if (this.isEnabled(id, row)) return undefined
    return this.fixedEnabled(id) === false ? `plugins.${id}.enabled is false in the configuration` : "an administrator has disabled it"
  }

  /** In clear text, as the plugin gets them. */
  settingsOf(id: string, row: PluginRow | undefined): Json {
    return mergeSettings(
      openSettings(row?.config ?? {}, (field, sealed) => this.#secrets.open(masterTenantId, id, placeOf(field), sealed)),
      this.fileOf(id),
    )
  }

  seal(id: string, field: string, clear: string): string {
    return this.#secrets.seal(masterTenantId, id, placeOf(field), clear)
  }
}

/** Apart from the fields that a plugin seals itself. */
function placeOf(field: string): string {
  return `config:${field}`
}
