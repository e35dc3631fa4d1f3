import { type Caller, failureOf, type Host, type PointUsers, type ProviderConnection, type ProvidersService, type ProviderType } from "@plugboard/sdk"
import { keyField } from "./change.ts"
import type { manifest } from "./manifest.ts"
import { seedOffline } from "./seed.ts"
import { enabledProviders, findProvider, type ProviderRow } from "./store.ts"

type Providers = Host<typeof manifest>

interface Known {
  row: ProviderRow
  /** Undefined while no active plugin brings its type. */
  type: ProviderType | undefined
  connection: ProviderConnection
}

/** Calls to providers by name. A warm call touches neither the database nor the key: both are in the tenant's cache. */
export function createCalls(host: Providers, types: PointUsers<ProviderType>) {
  async function open(caller: Caller, row: ProviderRow): Promise<Known> {
    const type = types.get(row.provider_type)
    const apiKey = row.api_key === null ? "" : await host.secrets.open(caller, keyField(row.id), row.api_key)
    return { row, type, connection: { name: row.name, baseUrl: row.api_base ?? type?.defaultBaseUrl ?? "", apiKey, settings: row.settings } }
  }
  const shared = { max: 5_000, ttlMs: 300_000, changedBy: ["providers.changed"] }
  const known = host.cache<Known | null>({
    ...shared,
    async load(caller, name) {
      const row = await findProvider(host.db.for(caller), name)
      return row && open(caller, row)
    },
  })
  const first = host.cache<{ provider: string; model: string } | null>({ ...shared, load: findFallback })

  /** With a key before one that works without: an offline provider is for a tenant that has nothing else. */
  async function findFallback(caller: Caller): Promise<{ provider: string; model: string } | null> {
    let rows = await enabledProviders(host.db.for(caller))
    if (rows.length === 0 && (await seedOffline(host, types, caller))) rows = await enabledProviders(host.db.for(caller))
    const usable = rows.filter((row) => types.get(row.provider_type))
    const row = usable.find((one) => one.api_key !== null) ?? usable[0]
    return row ? { provider: row.name, model: modelOf(row, types.get(row.provider_type) as ProviderType) } : null
  }

  async function demand(caller: Caller, name: string): Promise<{ type: ProviderType; connection: ProviderConnection }> {
    const found = await known.get(caller, name)
    if (!found) throw host.fail("unknown_provider", { provider: name })
    if (!found.row.enabled) throw host.fail("provider_disabled", { provider: name })
    if (!found.type) throw host.fail("unsupported_type", { type: found.row.provider_type, known: types.entries().map(([type]) => type).join(", ") })
    return { type: found.type, connection: found.connection }
  }

  const service: ProvidersService = {
    fallback: (caller) => first.get(caller, ""),
    async defaultModel(caller, provider) {
      const found = await known.get(caller, provider)
      return found?.row.enabled && found.type ? modelOf(found.row, found.type) : null
    },
    async *chat(caller, provider, request, signal) {
      const { type, connection } = await demand(caller, provider)
      yield* type.chat(connection, request, signal)
    },
  }

  return {
    service,
    /** The list, or an empty one with the reason; never an error for a provider that does not answer. */
    async models(caller: Caller, row: ProviderRow) {
      try {
        const { type, connection } = await open(caller, row)
        if (!type) throw host.fail("unsupported_type", { type: row.provider_type, known: types.entries().map(([name]) => name).join(", ") })
        if (!type.keyless && connection.apiKey === "") return { models: [], warning: "no API key" }
        return { models: await type.models(connection, AbortSignal.timeout(15_000)) }
      } catch (error) {
        return { models: [], warning: reasonOf(error) }
      }
    },
    async verify(caller: Caller, row: ProviderRow, model: string | undefined) {
      if (!row.enabled) return { valid: false, error: `provider ${row.name} is disabled` }
      try {
        const { type, connection } = await open(caller, row)
        if (!type) return { valid: false, error: `no active plugin brings the type ${row.provider_type}` }
        await type.verify(connection, model || undefined, AbortSignal.timeout(30_000))
        return { valid: true }
      } catch (error) {
        return { valid: false, error: reasonOf(error) }
      }
    },
  }
}

function modelOf(row: ProviderRow, type: ProviderType): string {
  const { default_model: own } = row.settings as { default_model?: unknown }
  return typeof own === "string" && own !== "" ? own : type.defaultModel
}

/** The provider's own words where there are some. Provider types keep keys out of them. */
function reasonOf(error: unknown): string {
  const failure = failureOf(error)
  if (failure) return failure.text ?? String(failure.params.reason ?? failure.name)
  return (error as Error).name === "TimeoutError" ? "it did not answer in time" : (error as Error).message
}
