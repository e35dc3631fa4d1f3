import { randomUUIDv7 } from "node:crypto"
import { Agents, type Caller, type Host, type PointUsers, type ProviderType, type Tx } from "@plugboard/sdk"
import type { Static } from "typebox"
import { keysIn, sealKeys } from "./keys.ts"
import type { manifest, NewProvider, ProviderChange } from "./manifest.ts"
import { deleteProvider, findProvider, insertProvider, lockProvider, nameIsTaken, type ProviderRow, updateProvider, type Written } from "./store.ts"

type Providers = Host<typeof manifest>
const slug = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/
const uuidLike = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const mask = "***"

/** Writes to providers. The call does not contact the provider. */
export function createChanges(host: Providers, types: PointUsers<ProviderType>) {
  async function check(provider: Pick<Written, "name" | "provider_type" | "api_base">): Promise<void> {
    // A name that looks like an id could not be told from one.
    if (!slug.test(provider.name) || uuidLike.test(provider.name)) throw host.fail("bad_name", { name: provider.name })
    if (!types.get(provider.provider_type)) {
      throw host.fail("unsupported_type", {
        type: provider.provider_type,
        known: types
          .entries()
          .map(([type]) => type)
          .join(", "),
      })
    }
    if (provider.api_base === null) return
    // Paths are put behind it, and keys stand in headers only.
    if (!/^https?:\/\/[^?#]+$/i.test(provider.api_base) || !URL.canParse(provider.api_base))
      throw host.fail("bad_base", { base: provider.api_base.replace(/[?#].*$/s, "").slice(0, 200) })
    await host.http.check(provider.api_base)
  }

  /** Sealed; undefined keeps the stored one. */
  async function sealedKey(caller: Caller, id: string, given: string | undefined): Promise<string | undefined> {
    const key = given?.trim()
    if (!key || key === mask) return undefined
    const keys = keysIn(key)
    if (!keys) throw host.fail("bad_key", {})
    return sealKeys(host.secrets, caller, id, keys)
  }

  const told = (tx: Tx, action: string, provider: Pick<ProviderRow, "id" | "name" | "provider_type">) => {
    tx.audit({ action, entityType: "provider", entityId: provider.id, details: { name: provider.name, provider_type: provider.provider_type } })
    tx.publish("providers.changed", { id: provider.id })
  }

  async function demand(caller: Caller, ref: string): Promise<ProviderRow> {
    const provider = await findProvider(host.db.for(caller), ref)
    if (!provider) throw host.fail("unknown_provider", { provider: ref.slice(0, 100) })
    return provider
  }

  return {
    demand,
    async create(caller: Caller, input: Static<typeof NewProvider>): Promise<ProviderRow> {
      if (input.api_key?.trim() === mask) throw host.fail("masked_key", {})
      const id = randomUUIDv7()
      const written: Written = {
        name: input.name,
        display_name: input.display_name || null,
        provider_type: input.provider_type,
        api_base: baseOf(input.api_base),
        api_key: (await sealedKey(caller, id, input.api_key)) ?? null,
        enabled: input.enabled ?? true,
        settings: input.settings ?? {},
      }
      await check(written)
      return host.db.for(caller).transaction(async (tx) => {
        const made = await insertProvider(tx, id, written)
        if (!made) throw host.fail("name_taken", { name: input.name })
        told(tx, "provider.created", made)
        return made
      })
    },
    async update(caller: Caller, ref: string, input: Static<typeof ProviderChange>): Promise<void> {
      const present = await demand(caller, ref)
      const { id } = present
      const key = await sealedKey(caller, id, input.api_key)
      await check(merged(present, input, key))
      await host.db.for(caller).transaction(async (tx) => {
        const locked = await lockProvider(tx, id)
        if (!locked) throw host.fail("unknown_provider", { provider: ref.slice(0, 100) })
        const written = merged(locked, input, key)
        if (written.name !== locked.name) {
          if (await nameIsTaken(tx, written.name)) throw host.fail("name_taken", { name: written.name })
          if (host.has(Agents)) await host.use(Agents).renameProvider(caller, locked.name, written.name)
        }
        told(tx, "provider.updated", await updateProvider(tx, id, written))
      })
    },
    async remove(caller: Caller, ref: string): Promise<void> {
      const provider = await demand(caller, ref)
      await host.db.for(caller).transaction(async (tx) => {
        if (!(await deleteProvider(tx, provider.id))) throw host.fail("unknown_provider", { provider: ref.slice(0, 100) })
        told(tx, "provider.deleted", provider)
      })
    },
  }
}

function merged(present: ProviderRow, input: Static<typeof ProviderChange>, sealedKey: string | undefined): Written {
  return {
    name: input.name ?? present.name,
    display_name: input.display_name === undefined ? present.display_name : input.display_name || null,
    provider_type: input.provider_type ?? present.provider_type,
    api_base: input.api_base === undefined ? present.api_base : baseOf(input.api_base),
    api_key: sealedKey ?? present.api_key,
    enabled: input.enabled ?? present.enabled,
    settings: input.settings ?? present.settings,
  }
}

function baseOf(text: string | undefined): string | null {
  return text?.trim().replace(/\/+$/, "") || null
}
