import { type Queries, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"

const ValueRow = row(Type.Object({ key: Type.String(), value: Type.String(), updated_at: Type.String() }))
const Nothing = row(Type.Object({}))

/** Nobody has more, so that one reply and one section of memory hold all. */
export const limits = { keys: 500, bytes: 1 << 20 }

export function listValues(db: Queries) {
  return db.any(sql.type(ValueRow)`SELECT key, value, updated_at FROM system_configs.values ORDER BY key LIMIT ${limits.keys}`)
}

/** Those under `<name>.`. */
export function valuesOf(db: Queries, name: string) {
  return db.any(sql.type(ValueRow)`SELECT key, value, updated_at FROM system_configs.values WHERE split_part(key, '.', 1) = ${name} AND key <> ${name} LIMIT ${limits.keys}`)
}

export function findValue(db: Queries, key: string) {
  return db.maybeOne(sql.type(ValueRow)`SELECT key, value, updated_at FROM system_configs.values WHERE key = ${key}`)
}

export async function putValue(db: Queries, key: string, value: string): Promise<void> {
  await db.query(sql.type(Nothing)`
    INSERT INTO system_configs.values (key, value) VALUES (${key}, ${value})
    ON CONFLICT (tenant_id, key) DO UPDATE SET value = excluded.value, updated_at = now()`)
}

/** False when it was not there. */
export async function deleteValue(db: Queries, key: string): Promise<boolean> {
  return (await db.query(sql.type(Nothing)`DELETE FROM system_configs.values WHERE key = ${key}`)).rowCount > 0
}

/** What the tenant has by now. */
export function sizeOf(db: Queries) {
  return db.one(
    sql.type(row(Type.Object({ keys: Type.Integer(), bytes: Type.Integer() })))`
      SELECT count(*)::int AS keys, coalesce(sum(octet_length(value)), 0)::int AS bytes FROM system_configs.values`,
  )
}

/** Writers of one tenant come one after the other, so that the limits hold. */
export async function holdValues(db: Queries, tenantId: string): Promise<void> {
  await db.query(sql.type(Nothing)`SELECT 1 FROM pg_advisory_xact_lock(hashtextextended('system-configs ' || ${tenantId}::text, 0))`)
}
