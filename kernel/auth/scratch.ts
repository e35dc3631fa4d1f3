import { randomUUIDv7 } from "node:crypto"
import { type Caller, type KeysService, row, sql, type TenantsService } from "@plugboard/sdk"
import { Type } from "typebox"
import { loadConfig } from "../config.ts"
import type { Database, KernelDb } from "../db/database.ts"
import { kernelGlobals } from "../db/kernel-tables.ts"
import { openDatabase } from "../db/open.ts"
import { scratchDatabase } from "../db/scratch.ts"
import { EventBus } from "../events.ts"
import { fail } from "../failures.ts"
import { createLog, Redactor } from "../log.ts"
import { kernelMigrations } from "../plugins/discover.ts"
import { createKeysService } from "../records/keys.ts"
import { createTenantsService } from "../records/tenants.ts"
import { masterTenantId } from "../tenancy.ts"
import type { Auth } from "./auth.ts"
import { createAuth } from "./create.ts"

export const gatewayToken = "the-gateway-token-of-this-test"

/** Who makes keys in tests: an owner in the master tenant. */
export const owner: Caller = { tenantId: masterTenantId, tenantSlug: "master", userId: "system", role: "owner", scopes: [], locale: "en", via: "system" }

export interface ScratchAuth {
  db: Database
  keys: KeysService
  tenants: TenantsService
  /** A door of its own over the same database: other configuration, nothing remembered. */
  door(options?: { token?: string | undefined; ownerIds?: string[]; rateLimitRpm?: number }): Auth
  /** While true, every statement of the kernel fails as without a database. */
  broken: boolean
  /** Statements that the kernel sent. */
  statements: number
  logs: string[]
  addTenant(slug: string, status?: "active" | "suspended" | "archived"): Promise<string>
  addMember(tenantId: string, userId: string): Promise<void>
  close(): Promise<void>
}

/** The kernel's tables on a database of their own, and the door over them. For tests. */
export async function scratchAuth(): Promise<ScratchAuth> {
  const storage = await scratchDatabase()
  const logs: string[] = []
  const log = createLog({ level: "info", redactor: new Redactor(), write: (line) => logs.push(line) })
  const config = loadConfig({ PLUGBOARD_DATA_DIR: storage.dataDir, ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }) })
  const db = await openDatabase({ config, log, checkRows: true })
  await db.migrate({ id: "kernel", folder: kernelMigrations(), globalTables: kernelGlobals })
  const bus = new EventBus((error) => {
    throw error
  })
  db.onCommitted(({ event, payload, tenantId, to }) => bus.publish({ name: event, payload, tenantId, to }))
  const doors: Auth[] = []
  const kernel = new Proxy(db.kernel, {
    get(target, name: keyof KernelDb) {
      if (typeof target[name] !== "function") return target[name]
      return (...args: unknown[]) => {
        scratch.statements += 1
        if (scratch.broken) return Promise.reject(fail("database_unavailable"))
        return (target[name] as (...args: unknown[]) => unknown).apply(target, args)
      }
    },
  })
  const watched: Database = new Proxy(db, { get: (target, name) => (name === "kernel" ? kernel : Reflect.get(target, name, target)) })
  const scratch: ScratchAuth = {
    db,
    keys: createKeysService({ db }),
    tenants: createTenantsService({ db, forget: async () => undefined }),
    door(options = {}) {
      const door = createAuth({ config: { token: gatewayToken, ownerIds: [], rateLimitRpm: 0, ...options }, db: watched, log, bus })
      doors.push(door)
      return door
    },
    broken: false,
    statements: 0,
    logs,
    async addTenant(slug, status = "active") {
      const id = randomUUIDv7()
      await db.kernel.query(sql.type(row(Type.Object({})))`INSERT INTO kernel.tenants (id, name, slug, status) VALUES (${id}, ${slug}, ${slug}, ${status})`)
      return id
    },
    async addMember(tenantId, userId) {
      await db.kernel.query(sql.type(row(Type.Object({})))`INSERT INTO kernel.members (id, tenant_id, user_id) VALUES (${randomUUIDv7()}, ${tenantId}, ${userId})`)
    },
    async close() {
      for (const door of doors) await door.close()
      await db.close()
      await storage.drop()
    },
  }
  return scratch
}
