import type { Caller } from "@plugboard/sdk"
import type { Database } from "../db/database.ts"
import { fail } from "../failures.ts"
import type { GatewayLog } from "../log.ts"
import { masterTenantId, masterTenantSlug } from "../tenancy.ts"

/** One entry for each kind of refusal in this time: a plugin that tries without end must not fill the audit log. Milliseconds. */
const quietMs = 60_000
const mostKinds = 100

/** What a plugin tried and was not granted: a line in the log that names it, and an entry in the audit log of the tenant for which it acted, or of the master tenant. */
export class Refusals {
  readonly #plugin: string
  readonly #rooms: { db: Database; log: GatewayLog }
  readonly #seen = new Map<string, number>()

  constructor(plugin: string, rooms: { db: Database; log: GatewayLog }) {
    this.#plugin = plugin
    this.#rooms = rooms
  }

  note(what: string, caller: Caller | undefined): void {
    const now = performance.now()
    if (now - (this.#seen.get(what) ?? Number.NEGATIVE_INFINITY) < quietMs) return
    if (this.#seen.size >= mostKinds) this.#seen.clear()
    this.#seen.set(what, now)
    this.#rooms.log.warn({ plugin: this.#plugin, what: what.slice(0, 300), tenant: caller?.tenantId }, "plugin refused")
    this.#write(what, caller ?? gatewayItself).catch((err: unknown) => this.#rooms.log.warn({ err, plugin: this.#plugin }, "refusal not in the audit log"))
  }

  error(what: string): Error {
    this.note(what, undefined)
    return fail("not_granted", { plugin: this.#plugin, what })
  }

  async #write(what: string, caller: Caller): Promise<void> {
    await this.#rooms.db.kernel.transaction(async (tx) => {
      tx.audit(caller, { action: "plugin.refused", entityType: "plugin", entityId: this.#plugin, details: { what: what.slice(0, 300) } })
    })
  }
}

const gatewayItself: Caller = { tenantId: masterTenantId, tenantSlug: masterTenantSlug, userId: "system", role: "owner", scopes: [], locale: "en", via: "system" }
