import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"

/** What a plugin in a process of its own may do. What is not here is refused outside the plugin, whatever its code tries. */
export interface Grants {
  /** Tables of its own. */
  db: boolean
  /** Host patterns that it may call. */
  net: string[]
  /** Names of secrets that it may seal and open. */
  secrets: string[]
  /** Names of services that it may use. */
  services: string[]
  /** Hooks that it may tap. */
  hooks: string[]
  /** Extension points that it may contribute to. */
  points: string[]
  /** Events of others that it may listen to. */
  events: string[]
  jobs: boolean
  files: boolean
  /** Work for every tenant that has it on, without a caller. */
  system: boolean
}

/** A plugin of this gateway, whether it runs or not. */
export interface InstalledPlugin {
  id: string
  version: string
  summary: string
  /** `bundled`: in the gateway's process. `package`: added, in a process of its own. */
  origin: "bundled" | "package"
  /** `waiting`: for an administrator's consent. `ready`: enabled, and no gateway runs here to say more. */
  state: "active" | "disabled" | "waiting" | "failed" | "ready"
  reason?: string
  /** What mends it; names a command where there is one. */
  remedy?: string
  /** For the whole gateway. */
  enabled: boolean
  /** False: it is off in the caller's tenant. */
  enabled_here: boolean
  /** A newer version that does not run, while `version` goes on. */
  pending?: { version: string; reason: string; remedy: string }
}

/** What a package asks for, and in which words. `hash` is the SHA-256 of the package in hex; a consent holds for it alone. */
export interface Consent {
  hash: string
  version: string
  asks: Grants
  /** One sentence for each thing that the plugin may do, in the caller's language. */
  says: string[]
}

export interface PluginDetails extends InstalledPlugin {
  /** For those who may change it. Secrets are `***`. */
  config?: Record<string, unknown>
  /** JSON Schema of `config`, when the plugin takes any. */
  config_schema?: object
  /** Keys that the configuration file names; they can be changed there alone. */
  locked?: string[]
  /** Ids of the tenants for which it is off. For those who may change it. */
  off_for?: string[]
  asks: Grants
  says: string[]
  /** What waits for consent; `beyond` are the sentences that nobody has agreed to yet. */
  waiting?: Consent & { beyond: string[] }
  package?: { hash: string; bytes: number; added_by: string; added_at: string }
  /** Where `rollback` leads. */
  previous?: { hash: string; version: string }
  contributes: { routes: string[]; methods: string[]; hooks: string[]; events: string[]; jobs: string[] }
}

/** `gateway`: for everyone; an owner or an admin of the master tenant. `tenant`: for the caller's tenant; its admin. */
export type PluginScope = "gateway" | "tenant"

/** The plugins of this gateway. A change is in force on this node when it is answered, and on the others within a second; none needs a restart. */
export interface PluginsService {
  /** By id. */
  list(caller: Caller, limit: number, offset: number): Promise<InstalledPlugin[]>
  inspect(caller: Caller, id: string): Promise<PluginDetails>
  /** A package as `plugboard plugins pack` writes it, 64 MiB at most. One that asks for more than was agreed to waits for `grant`. */
  add(caller: Caller, tarball: Uint8Array): Promise<PluginDetails>
  /** Agrees to what the package with that hash asks for; without a hash, to the one that waits now. */
  grant(caller: Caller, id: string, hash?: string): Promise<PluginDetails>
  /** `tenant`, a slug or an id, is for those who may change the whole gateway; the caller's own when left out. */
  enable(caller: Caller, id: string, scope: PluginScope, tenant?: string): Promise<PluginDetails>
  disable(caller: Caller, id: string, scope: PluginScope, tenant?: string): Promise<PluginDetails>
  /** Replaces the settings. A secret that comes as `***` is kept. */
  configure(caller: Caller, id: string, config: Readonly<Record<string, unknown>>): Promise<PluginDetails>
  /** Back to the package before. */
  rollback(caller: Caller, id: string): Promise<PluginDetails>
  /** `purge`: its tables go too; they stay otherwise. */
  remove(caller: Caller, id: string, options: { purge: boolean }): Promise<void>
}
export const Plugins = service<PluginsService>("kernel.plugins", "1.0.0")
