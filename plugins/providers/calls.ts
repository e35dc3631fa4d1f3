import { type Caller, deltasOf, failureOf, type Host, type PointUsers, type ProviderConnection, type ProvidersService, type ProviderType, SystemConfigs } from "@plugboard/sdk"
import { type Connections, connectionTo, defaultModelOf } from "./connections.ts"
import type { manifest } from "./manifest.ts"
import { createRoutedChat } from "./routed-chat.ts"
import { createRoutedForward } from "./routed-forward.ts"
import { createRouting } from "./routing.ts"
import { seedOffline } from "./seed.ts"
import { enabledProviders, type ProviderRow } from "./store.ts"

type Providers = Host<typeof manifest>

const modelsMs = 15_000
const verifyMs = 30_000
/** Models that make pictures and films cannot say a word. Source: wire contract, http-core 6. */
const media = /^(dall-e|gpt-image|imagen|veo|sora|stable-diffusion|flux)/i

/** Calls to providers by name, routed; and what is asked of one provider itself, which is not. */
export function createCalls(host: Providers, types: PointUsers<ProviderType>, connections: Connections) {
  const reach = createRouting(host, connections)
  const answer = createRoutedChat(reach)
  const forward = createRoutedForward(host, reach)
  const enabled = host.cache<readonly ProviderRow[]>({ ttlMs: 300_000, changedBy: ["providers.changed"], max: 1_000, load: (caller) => enabledProviders(host.db.for(caller)) })

  /** The one that the tenant's settings name. Else one with a key before one that works without: an offline provider is for a tenant that has nothing else. */
  async function fallback(caller: Caller): Promise<{ provider: string; model: string } | null> {
    let rows = await enabled.get(caller, "")
    if (rows.length === 0) {
      await seedOffline(host, types, caller)
      // Read again in any case: another request may have made it meanwhile.
      rows = await enabledProviders(host.db.for(caller))
    }
    const usable = rows.filter((row) => types.get(row.provider_type, caller))
    const named = host.has(SystemConfigs) ? await host.use(SystemConfigs).section(caller, "agent") : {}
    const chosen = usable.find(({ name }) => name === named.default_provider)
    const row = chosen ?? usable.find((one) => one.api_key !== null) ?? usable[0]
    if (!row) return null
    // A model that was chosen along with a provider is that provider's.
    const model = (chosen || !named.default_provider) && named.default_model
    return { provider: row.name, model: model || defaultModelOf(row, types.get(row.provider_type, caller) as ProviderType) }
  }

  const service: Omit<ProvidersService, "models"> = {
    fallback,
    async facts(caller, provider) {
      const found = await connections.find(caller, provider)
      if (!found) return null
      const { row } = found
      const type = types.get(row.provider_type, caller)
      const isLocal = type?.keyless === true && row.api_key === null
      return { enabled: row.enabled, forwards: type?.forward !== undefined, embeds: type?.embed !== undefined, baseUrl: row.api_base ?? type?.defaultBaseUrl ?? "", isLocal }
    },
    async defaultModel(caller, provider) {
      const found = await connections.find(caller, provider)
      const type = found?.row.enabled ? types.get(found.row.provider_type, caller) : undefined
      return found && type ? defaultModelOf(found.row, type) : null
    },
    answer,
    chat: (caller, provider, request, signal) => deltasOf(answer(caller, { provider }, request, signal), () => undefined),
    forward,
    async embed(caller, provider, model, texts, signal) {
      const tries = reach({
        caller,
        // Vectors of different models do not compare, so nobody else may make them.
        route: { provider, fallbacks: [] },
        model,
        signal,
        streams: false,
        open(type, connection, name, ending) {
          if (!type.embed) throw host.fail("not_offered", { provider, what: "/embeddings" })
          return type.embed(connection, name, texts, ending)
        },
        spent: () => undefined,
      })
      for (;;) {
        const next = await tries.next()
        if (!next.done) continue
        await next.value.end()
        return next.value.answer
      }
    },
  }

  /** Asks a provider, with its first key or with each; whatever goes wrong is told in words, never with the key. */
  async function asking<T>(
    caller: Caller,
    row: ProviderRow,
    { everyKey }: { everyKey: boolean },
    ask: (type: ProviderType, connection: ProviderConnection) => Promise<T>,
  ): Promise<{ answer: T } | { reason: string }> {
    let apiKey = ""
    try {
      const [first = "", ...others] = await connections.keysOf(caller, row)
      const type = connections.typeOf(caller, row)
      apiKey = first
      const answer = await ask(type, connectionTo(row, type, first))
      for (apiKey of everyKey ? others : []) await ask(type, connectionTo(row, type, apiKey))
      return { answer }
    } catch (error) {
      const reason = reasonOf(error, row)
      return { reason: apiKey === "" ? reason : reason.replaceAll(apiKey, "***") }
    }
  }

  return {
    service,
    /** The list, or an empty one with the reason; never an error for a provider that does not answer. */
    async models(caller: Caller, row: ProviderRow) {
      const outcome = await asking(caller, row, { everyKey: false }, async (type, connection) => {
        if (!type.keyless && connection.apiKey === "") return { models: [], warning: "no API key" }
        return { models: await type.models(connection, AbortSignal.timeout(modelsMs)) }
      })
      return "answer" in outcome ? outcome.answer : { models: [], warning: outcome.reason }
    },
    async verify(caller: Caller, row: ProviderRow, model: string | undefined) {
      if (!row.enabled) return { valid: false, error: `provider ${row.name} is disabled` }
      if (model && media.test(model)) return { valid: true, note: "a model for pictures or films; it is not asked" }
      const outcome = await asking(caller, row, { everyKey: true }, (type, connection) => type.verify(connection, model || undefined, AbortSignal.timeout(verifyMs)))
      return "answer" in outcome ? { valid: true } : { valid: false, error: outcome.reason }
    },
    /** A vector of a short text, asked of this provider itself. */
    embedOne(caller: Caller, row: ProviderRow, model: string) {
      return asking(caller, row, { everyKey: false }, async (type, connection) => {
        const [vector] = (await type.embed?.(connection, model, ["Hello"], AbortSignal.timeout(verifyMs))) ?? []
        if (!vector) throw new Error(`the type ${row.provider_type} makes no vectors`)
        return vector
      })
    },
  }
}

export type Calls = ReturnType<typeof createCalls>

/** The provider's own words where there are some; this plugin's failures in plain ones. */
function reasonOf(error: unknown, row: ProviderRow): string {
  const failure = failureOf(error)
  if (failure?.name === "providers.type_missing") return `no active plugin brings the type ${row.provider_type}`
  if (failure?.name === "providers.unreadable_key") return "the stored key cannot be read with this gateway's encryption key; set it again"
  if (failure) return failure.text ?? String(failure.params.reason ?? failure.name)
  return (error as Error).name === "TimeoutError" ? "it did not answer in time" : (error as Error).message
}
