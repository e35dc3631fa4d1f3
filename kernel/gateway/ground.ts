import { type Caller, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Auth } from "../auth/auth.ts"
import { createAuth } from "../auth/create.ts"
import type { GatewayConfig } from "../config.ts"
import type { Database } from "../db/database.ts"
import { EventBus } from "../events.ts"
import { KeyRing } from "../key-ring.ts"
import { Load } from "../load.ts"
import type { GatewayLog, Redactor } from "../log.ts"
import { type Crossing, Services, sameProcess } from "../plugins/services.ts"
import { createSecrets, type SecretBox } from "../secrets.ts"
import { followEncryption } from "../upkeep/follow-encryption.ts"
import { LiveSettings } from "../upkeep/live-settings.ts"

/** What every other part of a gateway stands on. */
export interface Ground {
  config: GatewayConfig
  log: GatewayLog
  db: Database
  bus: EventBus
  auth: Auth
  /** What of `config` changes while the gateway runs. */
  settings: LiveSettings
  load: Load
  services: Services
  ring: KeyRing
  secrets: SecretBox
  cross: Crossing
  /** Ends when the gateway stops. */
  stopping: AbortSignal
}

export async function layGround(given: Pick<Ground, "config" | "log" | "db" | "stopping"> & { redactor: Redactor; cross?: Crossing }): Promise<Ground> {
  const { log, db, stopping, redactor, cross = sameProcess } = given
  // Its settings change while the gateway runs.
  const config = { ...given.config }
  const bus = new EventBus((err, event) => log.error({ err, event }, "event listener failed"))
  db.onCommitted(({ event, payload, tenantId, to }) => bus.publish({ name: event, payload, tenantId, to }))
  const settings = new LiveSettings({ db, bus, log, config, stopping })
  await settings.follow()
  const ring = new KeyRing(config.encryption)
  await followEncryption(ring, { db, bus, log })
  const auth = await createAuth({ config, db, log, bus })
  return { config, log, db, bus, auth, settings, load: new Load(), services: new Services(cross), ring, secrets: createSecrets(ring, redactor), cross, stopping }
}

const TenantRow = Type.Object({ id: Type.String(), slug: Type.String() })

/** One after the other, each as the system. */
export async function forEachTenant(db: Database, work: (caller: Caller) => Promise<void>): Promise<void> {
  const tenants = await db.kernel.any(sql.type(row(TenantRow))`SELECT id, slug FROM kernel.tenants WHERE status = 'active' ORDER BY created_at, id`)
  for (const { id, slug } of tenants) {
    await work({ tenantId: id, tenantSlug: slug, userId: "system", role: "owner", scopes: [], locale: "en", via: "system" })
  }
}
