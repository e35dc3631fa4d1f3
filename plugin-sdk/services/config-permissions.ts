import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"

/** What of an agent a permission is about; `*` is all of it. */
export const configTypes = ["heartbeat", "cron", "context_files", "file_writer", "*"] as const
export type ConfigType = (typeof configTypes)[number]

/** Who is asking to change what of an agent, by its id or key, and from where. */
export interface ConfigQuestion {
  agent: string
  /** `agent`, `group:<channel>:<chat>`, `group:*` or `*`. */
  scope: string
  type: ConfigType
  userId: string
}
export interface ConfigDecision {
  allowed: boolean
  /** `allow` or `deny` and the scope of the rule that decided; `no_rule` when there is none. */
  reason: string
}
/** Permissions to change parts of an agent, beside those of its owner and of admins. */
export interface ConfigPermissionsService {
  /** The rule that says most of the place decides, then the one that names the user, then the one that names the part; of two that say as much, the one that denies. */
  check(caller: Caller, question: ConfigQuestion): Promise<ConfigDecision>
}
export const ConfigPermissions = service<ConfigPermissionsService>("config-permissions", "1.0.0")
