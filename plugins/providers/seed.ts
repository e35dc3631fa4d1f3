import { randomUUIDv7 } from "node:crypto"
import type { Caller, Host, PointUsers, ProviderType } from "@plugboard/sdk"
import { keysIn, sealKeys } from "./keys.ts"
import type { manifest } from "./manifest.ts"
import { hasAnyProvider, insertProvider } from "./store.ts"

type Providers = Host<typeof manifest>

/** A provider for each key in the environment, under the key's own name: `OPENAI_API_KEY` makes `openai`. What is there already stays as it is. */
export async function seedFromEnvironment(host: Providers, types: PointUsers<ProviderType>, caller: Caller): Promise<void> {
  for (const [type, { environment }] of types.entries()) {
    const [variable] = environment
    const key = host.environment(environment)
    if (variable === undefined || key === undefined) continue
    const id = randomUUIDv7()
    const name = variable
      .replace(/_API_KEY$/, "")
      .toLowerCase()
      .replaceAll("_", "-")
    await insert(host, caller, { id, name, type, key: await sealKeys(host.secrets, caller, id, keysIn(key) ?? [key]) })
  }
}

/** For a tenant that has no provider at all: the first type that needs neither key nor network, so that everyone can chat at once. */
export async function seedOffline(host: Providers, types: PointUsers<ProviderType>, caller: Caller): Promise<void> {
  const offline = types.entries().find(([, { keyless, defaultBaseUrl }]) => keyless && defaultBaseUrl === "")
  if (!offline || (await hasAnyProvider(host.db.for(caller)))) return
  await insert(host, caller, { id: randomUUIDv7(), name: offline[0], type: offline[0], key: null })
}

async function insert(host: Providers, caller: Caller, { id, name, type, key }: { id: string; name: string; type: string; key: string | null }): Promise<void> {
  await host.db.for(caller).transaction(async (tx) => {
    const made = await insertProvider(tx, id, { name, display_name: null, provider_type: type, api_base: null, api_key: key, enabled: true, settings: {} })
    if (!made) return
    tx.audit({ action: "provider.created", entityType: "provider", entityId: id, details: { name, provider_type: type, seeded: true } })
    tx.publish("providers.changed", { id })
  })
}
