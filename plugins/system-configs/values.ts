import type { Caller, Host, SystemConfigsService } from "@plugboard/sdk"
import { alertKey, choosesModel, isKey, namesSecret } from "./keys.ts"
import { type manifest, maxBytes } from "./manifest.ts"
import { deleteValue, holdValues, limits, putValue, sizeOf, valuesOf } from "./store.ts"

/** Settings as other plugins read and write them. */
export function createValues(host: Host<typeof manifest>): SystemConfigsService {
  const sections = host.cache<Readonly<Record<string, string | undefined>>>({
    max: 2_000,
    ttlMs: 300_000,
    changedBy: ["system-configs.changed"],
    async load(caller, name) {
      const rows = await valuesOf(host.db.for(caller), name)
      return Object.fromEntries(rows.map(({ key, value }) => [key.slice(name.length + 1), value]))
    },
  })

  function check(key: string, value: string | null): void {
    if (!isKey(key)) throw host.fail("bad_key", { key: key.slice(0, 100) })
    if (value === null) return
    if (namesSecret(key)) throw host.fail("secret_key", { key })
    if (Buffer.byteLength(value) > maxBytes) throw host.fail("too_long", { key, bytes: maxBytes })
  }

  async function set(caller: Caller, key: string, value: string | null): Promise<void> {
    check(key, value)
    await host.db.for(caller).transaction(async (tx) => {
      if (value === null) {
        if (!(await deleteValue(tx, key))) return
      } else {
        await holdValues(tx, caller.tenantId)
        await putValue(tx, key, value)
        const { keys, bytes } = await sizeOf(tx)
        if (keys > limits.keys || bytes > limits.bytes) throw host.fail("full", limits)
      }
      if (choosesModel(key)) await deleteValue(tx, alertKey)
      tx.audit({ action: value === null ? "system_config.deleted" : "system_config.set", entityType: "system_config", entityId: key })
      tx.publish("system-configs.changed", { key })
    })
  }
  return { section: (caller, name) => sections.get(caller, name), set }
}
