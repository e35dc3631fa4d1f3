import { randomBytes, randomUUIDv7 } from "node:crypto"
import { type Caller, Keys, type KeysService, type Plugin, type Role, type Scope } from "@plugboard/sdk"
import type { StartedGateway, TestGatewayOptions } from "@plugboard/sdk/testing"
import { loadConfig } from "./config.ts"
import { scratchDatabase } from "./db/scratch.ts"
import { startGateway } from "./gateway.ts"
import { givenPlugin } from "./plugins/discover.ts"
import { masterTenantId } from "./tenancy.ts"

const scopeOf: Record<Exclude<Role, "owner">, Scope> = { viewer: "operator.read", operator: "operator.write", admin: "operator.admin" }

/** Logs of the gateways that run now. */
const running = new Set<readonly string[]>()

/** What they have logged as errors, for whoever looks at a test that failed. */
export function loggedErrors(): string[] {
  return [...running].flatMap((lines) => lines.filter((line) => JSON.parse(line).level >= 50))
}

/** A whole gateway for one test file: a free port, a scratch database, log lines kept. `@plugboard/sdk/testing` gives it a face. */
export async function startTestGateway(options: TestGatewayOptions = {}): Promise<StartedGateway> {
  const storage = (options.on as Awaited<ReturnType<typeof scratchDatabase>> | undefined) ?? (await scratchDatabase())
  const token = options.token === undefined ? randomBytes(24).toString("hex") : (options.token ?? undefined)
  const logs: string[] = []
  const env = {
    ...(token && { PLUGBOARD_TOKEN: token }),
    ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }),
    PLUGBOARD_DATA_DIR: storage.dataDir,
    PLUGBOARD_LOG_LEVEL: "info",
    ...options.env,
  }
  // The test's own folder may hold a configuration file of its owner; it is not the test's.
  const config = loadConfig({ ...env, PLUGBOARD_CONFIG: undefined }, { port: 0, network: { allowPrivateHosts: ["127.0.0.1", "localhost"] }, ...options.config })
  const gateway = await startGateway(config, {
    bundled: options.bundled,
    extra: (options.plugins ?? []).map((given) => ("plugin" in given ? givenPlugin(given.plugin as Plugin, given.folder) : givenPlugin(given as Plugin))),
    sandboxed: options.sandboxed,
    write: (line) => logs.push(line),
    cross: options.clone ? (value) => structuredClone(value) : undefined,
    checkRows: true,
  })
  running.add(logs)
  const tenants = new Map<string, Promise<string>>([["master", Promise.resolve(masterTenantId)]])
  const keys = gateway.services.use<KeysService>("test", Keys)
  return {
    url: gateway.url,
    token,
    logs,
    registry: gateway.registry as unknown as StartedGateway["registry"],
    storage,
    statements: gateway.db.statements,
    executeSql: async (text, values) => (await gateway.db.executeSql(text, values)) as { rows: Record<string, unknown>[] },
    tenant(slug) {
      const known = tenants.get(slug)
      if (known) return known
      const made = (async () => {
        const { rows } = await gateway.db.executeSql(
          "INSERT INTO kernel.tenants (id, name, slug) VALUES ($1, $2, $2) ON CONFLICT (slug) DO UPDATE SET name = excluded.name RETURNING id::text AS id",
          [randomUUIDv7(), slug],
        )
        return (rows[0] as { id: string }).id
      })()
      tenants.set(slug, made)
      return made
    },
    async key(tenantId, role, userId) {
      if (role === "owner") throw new Error("an owner comes in with the gateway token")
      const owner: Caller = { tenantId, tenantSlug: "", userId: "system", role: "owner", scopes: [], locale: "en", via: "system" }
      const { key } = await keys.create(owner, { name: `${role} of ${userId}`, scopes: [scopeOf[role]], owner_id: userId, tenant_id: tenantId })
      return key
    },
    async close({ keep = false } = {}) {
      await gateway.close()
      running.delete(logs)
      if (!keep) await storage.drop()
    },
  }
}
