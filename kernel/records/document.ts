import { isDeepStrictEqual } from "node:util"
import { type GatewayConfig, Settings, wholeSettings } from "../config.ts"
import { isObject, type Json } from "../packages/settings.ts"

/** Known before the database is: of this node alone. */
export const ofNode = ["host", "port", "dataDir", "databaseUrl", "strict", "database"] as const
export const settingNames = Object.keys(Settings.properties)

/** What of a node's configuration its file and environment alone say. */
export function nodePart({ host, port, dataDir, databaseUrl, strict, poolSize, statementTimeoutMs }: GatewayConfig): Json {
  return { host, port, dataDir, ...(databaseUrl !== undefined && { databaseUrl: "***" }), strict, database: { poolSize, statementTimeoutMs } }
}

export function pick(document: Json, names: readonly string[]): Json {
  return Object.fromEntries(names.flatMap((name) => (document[name] === undefined ? [] : [[name, document[name]]])))
}

/** Without the members that are as they come. */
export function unlikeDefaults(settings: Settings): Settings {
  const defaults = wholeSettings({}) as Record<string, Json>
  const sections = Object.entries(settings as Record<string, Json>).map(([name, section]) => {
    const members = Object.entries(section).filter(([member, value]) => value !== undefined && !isDeepStrictEqual(value, defaults[name]?.[member]))
    return [name, Object.fromEntries(members)] as const
  })
  return Object.fromEntries(sections.filter(([, section]) => Object.keys(section).length > 0))
}

/** Objects are merged, all else replaced; null takes away. Source: RFC 7396. */
export function patched(document: unknown, fragment: unknown): unknown {
  if (!isObject(fragment)) return fragment
  const merged: Record<string, unknown> = isObject(document) ? { ...document } : {}
  for (const [name, value] of Object.entries(fragment)) {
    if (value === null) delete merged[name]
    else Object.defineProperty(merged, name, { value: patched(merged[name], value), enumerable: true, configurable: true, writable: true })
  }
  return merged
}

/** What is no longer as it was, by its key with dots; a list is one key. Secrets are masked on both sides, so that one of them alone does not show. */
export function differences(before: unknown, after: unknown, key = ""): [key: string, change: { from: unknown; to: unknown }][] {
  if (isDeepStrictEqual(before, after)) return []
  if (!isObject(before) || !isObject(after)) return [[key, { from: before ?? null, to: after ?? null }]]
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) => differences(before[name], after[name], key ? `${key}.${name}` : name))
}

/** Members in the order of their names, so that the same document is the same text on every node. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (isObject(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))) : one))
}
