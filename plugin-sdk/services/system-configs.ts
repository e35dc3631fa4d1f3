import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"

/** Settings of a tenant that plugins share, as texts under dotted keys: `background.model`. Every viewer of the tenant may read them, so they hold no secrets. */
export interface SystemConfigsService {
  /**
   * What stands under `<name>.`, by the rest of the key; from memory, on every node as of the last change.
   * @example const { provider, model } = await host.use(SystemConfigs).section(caller, "background")   // undefined when unset
   */
  section(caller: Caller, name: string): Promise<Readonly<Record<string, string | undefined>>>
  /** Null removes the key. Rejects with `system-configs.bad_key`, `system-configs.secret_key` or `system-configs.full`. */
  set(caller: Caller, key: string, value: string | null): Promise<void>
}
export const SystemConfigs = service<SystemConfigsService>("system-configs", "1.0.0")
