import { definePlugin, type PointUsers, Providers, type ProviderType, ProviderTypes, pageOf } from "@plugboard/sdk"
import { createCalls } from "./calls.ts"
import { createChanges } from "./change.ts"
import { createConnections } from "./connections.ts"
import { createEmbedding } from "./embedding.ts"
import { manifest } from "./manifest.ts"
import { createModelLists } from "./model-lists.ts"
import { seedFromEnvironment } from "./seed.ts"
import { listProviders, type ProviderRow } from "./store.ts"

export default definePlugin(manifest, (host) => {
  const types = host.open(ProviderTypes)
  const changes = createChanges(host, types)
  const connections = createConnections(host, types)
  const calls = createCalls(host, types, connections)
  const embedding = createEmbedding(host, types, calls)
  const modelLists = createModelLists(host, calls)
  host.offer(Providers, { ...calls.service, models: modelLists.all })
  return {
    routes: {
      list: async ({ query, caller }) => {
        const { limit, offset } = pageOf(query, 1_000)
        await calls.service.fallback(caller)
        return { providers: (await listProviders(host.db.for(caller), limit, offset)).map((row) => shown(row, types)) }
      },
      create: async ({ body, caller }) => shown(await changes.create(caller, body), types),
      get: async ({ params, caller }) => shown(await changes.demand(caller, params.id), types),
      update: async ({ params, body, caller }) => {
        await changes.update(caller, params.id, body)
        return { status: "updated" }
      },
      remove: async ({ params, caller }) => {
        await changes.remove(caller, params.id)
        return { status: "deleted" }
      },
      models: async ({ params, caller }) => modelLists.of(caller, (await changes.demand(caller, params.id)).id),
      verify: async ({ params, body, caller }) => calls.verify(caller, await changes.demand(caller, params.id), body.model),
      verifyEmbedding: async ({ params, body, caller }) => embedding.verify(caller, await changes.demand(caller, params.id), body),
      embeddingStatus: ({ caller }) => embedding.status(caller),
    },
    rpc: {
      "providers.models": async ({ provider }, { caller }) => modelLists.of(caller, (await changes.demand(caller, provider)).id),
      "models.list": async (_, { caller }) => {
        const lists = await modelLists.all(caller)
        return { models: lists.flatMap(({ provider, models }) => models.map((model) => ({ ...model, id: `${provider}/${model.id}` }))) }
      },
    },
    start: () =>
      host.eachTenant(async (caller) => {
        if (caller.tenantSlug !== "master") return
        await seedFromEnvironment(host, types, caller)
        await calls.service.fallback(caller)
      }),
  }
})

/** The wire's row. A key is shown as stored, never as it is; a type that needs none shows one all the same, or dashboards take the tenant for not set up. Source: wire contract, http-core 6. */
function shown({ display_name, api_base, api_key, ...row }: ProviderRow, types: PointUsers<ProviderType>) {
  const worksWithout = row.enabled && row.provider_type !== "ollama" && types.get(row.provider_type)?.keyless
  const base = api_base ?? types.get(row.provider_type)?.defaultBaseUrl
  return {
    ...row,
    ...(display_name !== null && { display_name }),
    ...(base && { api_base: base }),
    ...((api_key !== null || worksWithout) && { api_key: "***" as const }),
  }
}
