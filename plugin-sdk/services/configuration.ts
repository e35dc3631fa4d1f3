import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"

/** The gateway's configuration, as a configuration file would hold it. */
export interface ConfigurationDocument {
  /** Sections with what is in force; under `plugins` what was set of each. Secrets are `***`. */
  config: Readonly<Record<string, unknown>>
  /** Another one after each change, of a secret too. */
  hash: string
  /** Of this node's configuration file, which need not be there. */
  path: string
}
/**
 * The configuration of the whole gateway, for those who run it (`runsGateway`). A change is in force on this node when it is answered, and on the others within a second; none needs a restart.
 * What a file or the environment names stays: `kernel.plugin_locked`; what each node has for itself: `kernel.config_of_node`. A `baseHash` that is not the present one: `kernel.config_changed`.
 */
export interface ConfigurationService {
  read(caller: Caller): Promise<ConfigurationDocument>
  /** The whole document: what it leaves out is as it comes. A secret that is `***` is kept. */
  replace(caller: Caller, document: Readonly<Record<string, unknown>>, baseHash?: string): Promise<ConfigurationDocument>
  /** Objects are merged, all else replaced; null: as it comes. */
  merge(caller: Caller, fragment: Readonly<Record<string, unknown>>, baseHash?: string): Promise<ConfigurationDocument>
  /** JSON Schema of the document, with the settings of the plugins that there are. */
  schema(caller: Caller): Promise<object>
}
export const Configuration = service<ConfigurationService>("kernel.configuration", "1.0.0")
