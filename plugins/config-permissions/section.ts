import { randomUUIDv7 } from "node:crypto"
import { type AgentSection, type Host, seesAll } from "@plugboard/sdk"
import type { Static } from "typebox"
import { type manifest, Rule } from "./manifest.ts"
import { countPermissions, holdPermissions, listPermissions, most, putPermission } from "./store.ts"

/** Permissions on an agent in its export: only for those who see them otherwise. */
export function createSection(host: Host<typeof manifest>): AgentSection {
  return {
    entry: Rule,
    counts: async (caller, { id }) => ({ config_permissions: seesAll(caller) ? (await listPermissions(host.db.for(caller), id, null)).length : 0 }),
    async *read(caller, { id }) {
      if (!seesAll(caller)) return
      for (const { scope, config_type, user_id, permission, metadata } of await listPermissions(host.db.for(caller), id, null))
        yield { scope, config_type, user_id, permission, ...(metadata && { metadata }) }
    },
    async write(caller, { id, key }, entries) {
      await host.db.for(caller).transaction(async (tx) => {
        await holdPermissions(tx, caller.tenantId)
        for (const { metadata, ...rule } of entries as Static<typeof Rule>[])
          await putPermission(tx, randomUUIDv7(), { ...rule, agent_id: id, granted_by: caller.userId, metadata: metadata ?? null })
        if ((await countPermissions(tx)) > most) throw host.fail("too_many", { most })
        tx.audit({ action: "config_permission.imported", entityType: "config_permission", entityId: key, details: { count: entries.length } })
        tx.publish("config-permissions.changed", {})
      })
      return { config_permissions: entries.length }
    },
  }
}
