import { type Caller, type Delta, failureOf, type Host, type LlmRequest, type PointUsers, type ProviderConnection, type ProvidersService, type ProviderType } from "@plugboard/sdk"
import { keyField } from "./change.ts"
import type { manifest } from "./manifest.ts"
import { seedOffline } from "./seed.ts"
import { enabledProviders, findProvider, type ProviderRow } from "./store.ts"

type Providers = Host<typeof manifest>

interface Known {
  row: ProviderRow
  /** Clear text. */
  apiKey: string
}

const modelsMs = 15_000
const verifyMs = 30_000
/** Models that make pictures and films cannot say a word. Source: wire contract, http-core 6. */
const media = /^(dall-e|gpt-image|imagen|veo|sora|stable-diffusion|flux)/i

/** Calls to providers by name. A warm call touches neither the database nor the seal: row and key are in the tenant's cache. Types are looked up each time, for they come and go. */
export function createCalls(host: Providers, types: PointUsers<ProviderType>) {
  const shared = { ttlMs: 300_000, changedBy: ["providers.changed"] }
  const known = host.cache<Known | null>({
    ...shared,
    max: 5_000,
    async load(caller, name) {
      const row = await findProvider(host.db.for(caller), name)
      return row && { row, apiKey: await openKey(caller, row) }
    },
  })
  const enabled = host.cache<readonly ProviderRow[]>({ ...shared, max: 1_000, load: (caller) => enabledProviders(host.db.for(caller)) })

  async function openKey(caller: Caller, row: ProviderRow): Promise<string> {
    if (row.api_key === null) return ""
    try {
      return await host.secrets.open(caller, keyField(row.id), row.api_key)
    } catch (error) {
      throw host.fail("unreadable_key", { provider: row.name }, { cause: error })
    }
  }

  function connect(caller: Caller, row: ProviderRow, apiKey: string): { type: ProviderType; connection: ProviderConnection } {
    const type = types.get(row.provider_type, caller)
    if (!type) throw host.fail("type_missing", { provider: row.name, type: row.provider_type })
    return { type, connection: { name: row.name, baseUrl: row.api_base ?? type.defaultBaseUrl, apiKey, settings: row.settings } }
  }

  /** With a key before one that works without: an offline provider is for a tenant that has nothing else. */
  async function fallback(caller: Caller): Promise<{ provider: string; model: string } | null> {
    let rows = await enabled.get(caller, "")
    if (rows.length === 0) {
      await seedOffline(host, types, caller)
      // Read again in any case: another request may have made it meanwhile.
      rows = await enabledProviders(host.db.for(caller))
    }
    const usable = rows.filter((row) => types.get(row.provider_type, caller))
    const row = usable.find((one) => one.api_key !== null) ?? usable[0]
    return row ? { provider: row.name, model: modelOf(row, types.get(row.provider_type, caller) as ProviderType) } : null
  }

  /** The provider that a call means, if it may be asked. */
  async function demand(caller: Caller, provider: string): Promise<{ type: ProviderType; connection: ProviderConnection }> {
    const found = await known.get(caller, provider)
    if (!found) throw host.fail("unknown_provider", { provider: provider.slice(0, 100) })
    if (!found.row.enabled) throw host.fail("provider_disabled", { provider })
    return connect(caller, found.row, found.apiKey)
  }

  const service: Omit<ProvidersService, "models"> = {
    fallback,
    async facts(caller, provider) {
      const found = await known.get(caller, provider)
      if (!found) return null
      const type = types.get(found.row.provider_type, caller)
      return { enabled: found.row.enabled, forwards: type?.forward !== undefined, embeds: type?.embed !== undefined }
    },
    async defaultModel(caller, provider) {
      const found = await known.get(caller, provider)
      const type = found?.row.enabled ? types.get(found.row.provider_type, caller) : undefined
      return found && type ? modelOf(found.row, type) : null
    },
    async *chat(caller: Caller, provider: string, request: LlmRequest, signal: AbortSignal): AsyncIterable<readonly Delta[]> {
      const { type, connection } = await demand(caller, provider)
      yield* type.chat(connection, request, signal)
    },
    async *forward(caller, provider, call, signal) {
      const { type, connection } = await demand(caller, provider)
      if (!type.forward) throw host.fail("not_offered", { provider, what: call.path })
      yield* type.forward(connection, call, signal)
    },
    async embed(caller, provider, model, texts, signal) {
      const { type, connection } = await demand(caller, provider)
      if (!type.embed) throw host.fail("not_offered", { provider, what: "/embeddings" })
      return type.embed(connection, model, texts, signal)
    },
  }

  /** Asks a provider; whatever goes wrong is told in words, never with the key. */
  async function asking<T>(caller: Caller, row: ProviderRow, ask: (type: ProviderType, connection: ProviderConnection) => Promise<T>): Promise<{ answer: T } | { reason: string }> {
    let apiKey = ""
    try {
      apiKey = await openKey(caller, row)
      const { type, connection } = connect(caller, row, apiKey)
      return { answer: await ask(type, connection) }
    } catch (error) {
      const reason = reasonOf(error, row)
      return { reason: apiKey === "" ? reason : reason.replaceAll(apiKey, "***") }
    }
  }

  return {
    service,
    /** The list, or an empty one with the reason; never an error for a provider that does not answer. */
    async models(caller: Caller, row: ProviderRow) {
      const outcome = await asking(caller, row, async (type, connection) => {
        if (!type.keyless && connection.apiKey === "") return { models: [], warning: "no API key" }
        return { models: await type.models(connection, AbortSignal.timeout(modelsMs)) }
      })
      return "answer" in outcome ? outcome.answer : { models: [], warning: outcome.reason }
    },
    async verify(caller: Caller, row: ProviderRow, model: string | undefined) {
      if (!row.enabled) return { valid: false, error: `provider ${row.name} is disabled` }
      if (model && media.test(model)) return { valid: true, note: "a model for pictures or films; it is not asked" }
      const outcome = await asking(caller, row, (type, connection) => type.verify(connection, model || undefined, AbortSignal.timeout(verifyMs)))
      return "answer" in outcome ? { valid: true } : { valid: false, error: outcome.reason }
    },
  }
}

export type Calls = ReturnType<typeof createCalls>

function modelOf(row: ProviderRow, type: ProviderType): string {
  const { default_model: own } = row.settings as { default_model?: unknown }
  return typeof own === "string" && own !== "" ? own : type.defaultModel
}

/** The provider's own words where there are some; this plugin's failures in plain ones. */
function reasonOf(error: unknown, row: ProviderRow): string {
  const failure = failureOf(error)
  if (failure?.name === "providers.type_missing") return `no active plugin brings the type ${row.provider_type}`
  if (failure?.name === "providers.unreadable_key") return "the stored key cannot be read with this gateway's encryption key; set it again"
  if (failure) return failure.text ?? String(failure.params.reason ?? failure.name)
  return (error as Error).name === "TimeoutError" ? "it did not answer in time" : (error as Error).message
}
