import type { TestGateway } from "@plugboard/sdk/testing"

interface Table {
  name: string
  /** Columns that tell rows apart, besides the tenant. */
  keys: string[]
  /** Columns that name rows, by their ids. */
  references: string[]
}
type Row = Record<string, unknown>
/** Columns that say whose a row is, or who made it. */
const whose = ["user_id", "owner_id", "created_by", "actor_id"]

/** Every table that says whose its rows are, whichever plugin it belongs to. */
async function tablesOf(gateway: TestGateway): Promise<Table[]> {
  const { rows } = await gateway.executeSql(`
    SELECT format('%I.%I', n.nspname, c.relname) AS name, coalesce(json_agg(DISTINCT k.attname) FILTER (WHERE k.attname IS NOT NULL), '[]') AS keys,
      (SELECT coalesce(json_agg(r.attname), '[]') FROM pg_attribute r
        WHERE r.attrelid = c.oid AND r.attnum > 0 AND r.atttypid = 'uuid'::regtype AND r.attname NOT IN ('id', 'tenant_id')) AS references
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgboss')
    JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id'
    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique
    LEFT JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY(i.indkey) AND k.attname <> 'tenant_id'
    WHERE c.relkind IN ('r', 'p') AND format('%I.%I', n.nspname, c.relname) <> 'kernel.outbox'
    GROUP BY c.oid, 1 ORDER BY 1`)
  return rows as unknown as Table[]
}

/** All that a tenant has, table by table, but for what the gateway itself renews. */
export async function belongingsOf(gateway: TestGateway, tenantId: string): Promise<Map<string, Row[]>> {
  const found = new Map<string, Row[]>()
  for (const { name } of await tablesOf(gateway)) {
    const { rows } = await gateway.executeSql(`SELECT to_jsonb(t) - 'last_used_at' - 'lease_until' AS row FROM ${name} t WHERE tenant_id = $1 ORDER BY to_jsonb(t)::text`, [
      tenantId,
    ])
    found.set(
      name,
      rows.map(({ row }) => row as Row),
    )
  }
  return found
}

/**
 * The same without the user's own: rows that name the user, or that name nobody, and that refer to nothing but the user's own.
 * A message of his in the session of another is not his own in this sense.
 */
export async function othersOf(gateway: TestGateway, belongings: ReadonlyMap<string, Row[]>, user: string): Promise<Map<string, Row[]>> {
  const references = new Map((await tablesOf(gateway)).map((table) => [table.name, table.references]))
  const byId = new Map<unknown, { name: string; row: Row }>()
  for (const [name, rows] of belongings) for (const row of rows) if (row.id) byId.set(row.id, { name, row })
  function isOwn(name: string, row: Row, seen: ReadonlySet<Row> = new Set()): boolean {
    const named = whose.map((column) => row[column]).filter((value) => typeof value === "string" && value !== "")
    if (named.length > 0 && !named.includes(user)) return false
    // A default agent is everybody's: what a user has at it is his own.
    const others = (references.get(name) ?? []).flatMap((column) => byId.get(row[column]) ?? []).filter((other) => other.row.is_default !== true)
    // Rows may name each other: a run its message, and the message its run.
    const within = new Set([...seen, row])
    return named.length + others.length > 0 && others.every((other) => within.has(other.row) || isOwn(other.name, other.row, within))
  }
  return new Map([...belongings].map(([name, rows]) => [name, rows.filter((row) => !isOwn(name, row))]))
}

/** What identifies rows of `tenantId` and nothing of `otherTenantId`: one value for each column of a key. With `user`: only rows of that user. */
export async function identifiersOf(gateway: TestGateway, tenantId: string, otherTenantId: string | null, user?: string): Promise<string[]> {
  const theirs = await belongingsOf(gateway, tenantId)
  const others = otherTenantId === null ? "" : JSON.stringify([...(await belongingsOf(gateway, otherTenantId)).values()])
  const found = new Set<string>()
  const isOf = (row: Row) => user === undefined || whose.some((column) => row[column] === user)
  // A row of the user's may be told apart by whom else it belongs to, such as a default agent; that one's id is not his.
  const foreign = new Set([...theirs.values()].flat().flatMap((row) => (isOf(row) ? [] : [row.id])))
  for (const { name, keys } of await tablesOf(gateway)) {
    const rows = (theirs.get(name) ?? []).filter(isOf)
    for (const key of keys) {
      const value = rows
        .map((row) => row[key])
        .find((value) => typeof value === "string" && value.length > 3 && value !== user && !foreign.has(value) && !others.includes(JSON.stringify(value)))
      if (value) found.add(value as string)
    }
  }
  return [...found]
}

/** Waits until nothing of the tenant changes by itself any more. */
export async function settled(gateway: TestGateway, tenantId: string): Promise<Map<string, Row[]>> {
  for (let before = await belongingsOf(gateway, tenantId); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    const now = await belongingsOf(gateway, tenantId)
    if (JSON.stringify([...now]) === JSON.stringify([...before])) return now
    before = now
  }
}
