import { type Caller, failureOf, type Host, SystemConfigs } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

/** What a provider does not get over by itself. */
const lasting = new Set(["provider_auth", "provider_not_found", "provider_bad_request", "unknown_provider"])
const worker = "compaction"

/** Tells admins that nobody summarizes: those who are there by an event, the others by a setting that dashboards ask for. Source: wire contract, http-core 8 and websocket 5.3. */
export function createAlerts(host: Host<typeof manifest>) {
  const settings = host.use(SystemConfigs)
  /** In the section `alert`. */
  const key = "background.provider_error"
  /** What stands there of this worker's; from memory. */
  async function standing(caller: Caller): Promise<{ worker?: string; reason?: string }> {
    const text = (await settings.section(caller, "alert"))[key]
    try {
      return text === undefined ? {} : (JSON.parse(text) as object)
    } catch {
      return {}
    }
  }
  const asSystem = (caller: Caller): Caller => ({ ...caller, userId: "system", role: "owner", via: "system" })

  return {
    async failed(caller: Caller, error: unknown): Promise<void> {
      const name = failureOf(error)?.name ?? ""
      const reason = name.slice(name.indexOf(".") + 1)
      if (!lasting.has(reason) || !host.has(SystemConfigs, caller)) return
      const before = await standing(caller)
      if (before.worker === worker && before.reason === reason) return
      const alert = { reason, worker, message: ((await host.describe(error, caller.locale)) ?? reason).slice(0, 1_000), timestamp: new Date().toISOString() }
      await settings.set(asSystem(caller), `alert.${key}`, JSON.stringify(alert))
      host.events.publish(caller, "background.error", alert)
    },
    /** It goes when it has come from here. */
    async succeeded(caller: Caller): Promise<void> {
      if (host.has(SystemConfigs, caller) && (await standing(caller)).worker === worker) await settings.set(asSystem(caller), `alert.${key}`, null)
    },
  }
}
