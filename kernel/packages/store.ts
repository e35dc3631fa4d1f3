import { type Grants, type Queries, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Contents } from "./contents.ts"
import type { Json } from "./settings.ts"

// All that is known of plugins is small, and rarely changes: it is read whole, and the lists below have no limit.

const NullableText = Type.Union([Type.String(), Type.Null()])
const PluginShape = Type.Object({
  id: Type.String(),
  version: Type.String(),
  enabled: Type.Boolean(),
  config: Type.Unsafe<Json>(Type.Object({})),
  off_for: Type.Array(Type.String()),
  origin: Type.Enum(["bundled", "package"]),
  package_hash: NullableText,
  previous_hash: NullableText,
  proven: Type.Boolean(),
})
/** What somebody has decided about a plugin. A bundled one has no row before. */
export interface PluginRow {
  id: string
  version: string
  enabled: boolean
  config: Json
  off_for: string[]
  origin: "bundled" | "package"
  package_hash: string | null
  previous_hash: string | null
  /** A node has run the wanted package. */
  proven: boolean
}
const pluginColumns = sql.fragment`id, version, enabled, config, off_for::text[] AS off_for, origin, package_hash, previous_hash, proven`

export function allPlugins(db: Queries): Promise<readonly PluginRow[]> {
  return db.any(sql.type(row(PluginShape))`SELECT ${pluginColumns} FROM kernel.plugins ORDER BY id`)
}

/** Held until the transaction ends, so that two changes of one plugin come one after the other. */
export function lockPlugin(db: Queries, id: string): Promise<PluginRow | null> {
  return db.maybeOne(sql.type(row(PluginShape))`SELECT ${pluginColumns} FROM kernel.plugins WHERE id = ${id} FOR UPDATE`)
}

/** The row of a bundled plugin, made when it is not there. Held until the transaction ends. */
export async function lockBundled(db: Queries, id: string, version: string): Promise<PluginRow> {
  await db.query(sql.type(row(Type.Object({})))`INSERT INTO kernel.plugins (id, version) VALUES (${id}, ${version}) ON CONFLICT (id) DO NOTHING`)
  return db.one(sql.type(row(PluginShape))`SELECT ${pluginColumns} FROM kernel.plugins WHERE id = ${id} FOR UPDATE`)
}

/** Everything of the row as it is to be. */
export async function storePlugin(db: Queries, plugin: PluginRow): Promise<void> {
  await db.query(sql.type(row(Type.Object({})))`
    INSERT INTO kernel.plugins (id, version, enabled, config, off_for, origin, package_hash, previous_hash, proven)
    VALUES (${plugin.id}, ${plugin.version}, ${plugin.enabled}, ${JSON.stringify(plugin.config)}::jsonb, ${sql.array(plugin.off_for, "uuid")}, ${plugin.origin},
      ${plugin.package_hash}, ${plugin.previous_hash}, ${plugin.proven})
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, enabled = excluded.enabled, config = excluded.config, off_for = excluded.off_for, origin = excluded.origin,
      package_hash = excluded.package_hash, previous_hash = excluded.previous_hash, proven = excluded.proven, updated_at = now()`)
}

/** By slug or id. */
export async function tenantOf(db: Queries, ref: string): Promise<string | null> {
  const found = await db.maybeOne(sql.type(row(Type.Object({ id: Type.String() })))`SELECT id FROM kernel.tenants WHERE slug = ${ref} OR id::text = ${ref.toLowerCase()}`)
  return found?.id ?? null
}

/** Unless another package is wanted by now. */
export async function markProven(db: Queries, id: string, hash: string): Promise<void> {
  await db.query(sql.type(row(Type.Object({})))`UPDATE kernel.plugins SET proven = true WHERE id = ${id} AND package_hash = ${hash}`)
}

/** Its consents go with it. */
export async function deletePlugin(db: Queries, id: string): Promise<void> {
  await db.query(sql.type(row(Type.Object({})))`DELETE FROM kernel.plugins WHERE id = ${id}`)
  await deletePackages(db, id, [])
}

const PackageShape = Type.Object({
  hash: Type.String(),
  plugin_id: Type.String(),
  version: Type.String(),
  contents: Type.Unsafe<Contents>(Type.Object({})),
  bytes: Type.Integer(),
  created_by: Type.String(),
  created_at: Type.String(),
})
/** A package without its bytes. */
export interface PackageRow {
  hash: string
  plugin_id: string
  version: string
  contents: Contents
  bytes: number
  created_by: string
  created_at: string
}
const packageColumns = sql.fragment`hash, plugin_id, version, contents, octet_length(tarball) AS bytes, created_by, created_at`

export function allPackages(db: Queries): Promise<readonly PackageRow[]> {
  return db.any(sql.type(row(PackageShape))`SELECT ${packageColumns} FROM kernel.packages`)
}

export async function tarballOf(db: Queries, hash: string): Promise<Uint8Array | null> {
  const found = await db.maybeOne(sql.type(row(Type.Object({ tarball: Type.Unsafe<Uint8Array>(Type.Unknown()) })))`SELECT tarball FROM kernel.packages WHERE hash = ${hash}`)
  return found?.tarball ?? null
}

/** Nothing happens when it is there already. */
export async function insertPackage(db: Queries, { hash, contents, tarball, by }: { hash: string; contents: Contents; tarball: Uint8Array; by: string }): Promise<void> {
  const { id, version } = contents.manifest
  await db.query(sql.type(row(Type.Object({})))`
    INSERT INTO kernel.packages (hash, plugin_id, version, contents, tarball, created_by)
    VALUES (${hash}, ${id}, ${version}, ${JSON.stringify(contents)}::jsonb, ${sql.binary(Buffer.from(tarball.buffer, tarball.byteOffset, tarball.byteLength))}, ${by})
    ON CONFLICT (hash) DO NOTHING`)
}

export async function deletePackages(db: Queries, id: string, kept: readonly string[]): Promise<void> {
  await db.query(sql.type(row(Type.Object({})))`DELETE FROM kernel.packages WHERE plugin_id = ${id} AND NOT (hash = ANY(${sql.array([...kept], "text")}))`)
}

const ConsentShape = Type.Object({ plugin_id: Type.String(), contents: Type.String(), capabilities: Type.Unsafe<Grants>(Type.Object({})) })
/** What an administrator has agreed to: `contents` is the hash of the package, which holds its plugboard.json. */
export interface ConsentRow {
  plugin_id: string
  contents: string
  capabilities: Grants
}

export function allConsents(db: Queries): Promise<readonly ConsentRow[]> {
  return db.any(sql.type(row(ConsentShape))`SELECT plugin_id, contents, capabilities FROM kernel.consents`)
}

export async function insertConsent(db: Queries, { id, hash, grants, by }: { id: string; hash: string; grants: Grants; by: string }): Promise<void> {
  await db.query(sql.type(row(Type.Object({})))`
    INSERT INTO kernel.consents (plugin_id, contents, capabilities, granted_by) VALUES (${id}, ${hash}, ${JSON.stringify(grants)}::jsonb, ${by})
    ON CONFLICT (plugin_id, contents) DO UPDATE SET capabilities = excluded.capabilities, granted_by = excluded.granted_by, created_at = now()`)
}
