import { jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Nullable = Type.Union([Type.String(), Type.Null()])
export const ProviderRow = Type.Object({
  id: Type.String(),
  tenant_id: Type.String(),
  name: Type.String(),
  display_name: Nullable,
  provider_type: Type.String(),
  api_base: Nullable,
  /** Sealed. */
  api_key: Nullable,
  enabled: Type.Boolean(),
  settings: Type.Record(Type.String(), Type.Unknown()),
  created_at: Type.String(),
  updated_at: Type.String(),
})
export type ProviderRow = Static<typeof ProviderRow>
/** What can be written of a row. */
export type Written = Pick<ProviderRow, "name" | "display_name" | "provider_type" | "api_base" | "api_key" | "enabled" | "settings">

const columns = sql.fragment`id, tenant_id, name, display_name, provider_type, api_base, api_key, enabled, settings, created_at, updated_at`
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function listProviders(db: Queries, limit: number, offset: number) {
  return db.any(sql.type(row(ProviderRow))`SELECT ${columns} FROM providers.providers ORDER BY name LIMIT ${limit} OFFSET ${offset}`)
}

/** By UUID or name. */
export function findProvider(db: Queries, ref: string) {
  return uuid.test(ref)
    ? db.maybeOne(sql.type(row(ProviderRow))`SELECT ${columns} FROM providers.providers WHERE id = ${ref}`)
    : db.maybeOne(sql.type(row(ProviderRow))`SELECT ${columns} FROM providers.providers WHERE name = ${ref}`)
}

/** Held until the transaction ends. */
export function lockProvider(db: Queries, id: string) {
  return db.maybeOne(sql.type(row(ProviderRow))`SELECT ${columns} FROM providers.providers WHERE id = ${id} FOR UPDATE`)
}

/** Enabled ones, oldest first. */
export function enabledProviders(db: Queries) {
  return db.any(sql.type(row(ProviderRow))`SELECT ${columns} FROM providers.providers WHERE enabled ORDER BY created_at, id LIMIT 100`)
}

/** Null when the tenant has a provider of that name. */
export function insertProvider(db: Queries, id: string, provider: Written) {
  return db.maybeOne(sql.type(row(ProviderRow))`
    INSERT INTO providers.providers (id, name, display_name, provider_type, api_base, api_key, enabled, settings)
    VALUES (${id}, ${provider.name}, ${provider.display_name}, ${provider.provider_type}, ${provider.api_base}, ${provider.api_key}, ${provider.enabled}, ${jsonText(provider.settings)}::jsonb)
    ON CONFLICT (tenant_id, name) DO NOTHING RETURNING ${columns}`)
}

export function updateProvider(db: Queries, id: string, provider: Written) {
  return db.one(sql.type(row(ProviderRow))`
    UPDATE providers.providers SET name = ${provider.name}, display_name = ${provider.display_name}, provider_type = ${provider.provider_type}, api_base = ${provider.api_base},
      api_key = ${provider.api_key}, enabled = ${provider.enabled}, settings = ${jsonText(provider.settings)}::jsonb, updated_at = now()
    WHERE id = ${id} RETURNING ${columns}`)
}

export async function nameIsTaken(db: Queries, name: string): Promise<boolean> {
  return (await db.maybeOne(sql.type(row(Type.Object({ id: Type.String() })))`SELECT id FROM providers.providers WHERE name = ${name}`)) !== null
}

/** False when it is gone already. */
export async function deleteProvider(db: Queries, id: string): Promise<boolean> {
  return (await db.maybeOne(sql.type(row(Type.Object({ id: Type.String() })))`DELETE FROM providers.providers WHERE id = ${id} RETURNING id`)) !== null
}

export async function hasAnyProvider(db: Queries): Promise<boolean> {
  return (await db.maybeOne(sql.type(row(Type.Object({ id: Type.String() })))`SELECT id FROM providers.providers LIMIT 1`)) !== null
}
