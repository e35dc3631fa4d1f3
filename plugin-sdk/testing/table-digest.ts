import type { TestGateway } from "./gateway.ts"

/** What stands in the tables of a plugin, as one text: equal when no row has changed. */
export async function digestOf(gateway: Pick<TestGateway, "executeSql">, plugin: string): Promise<string> {
  const schema = plugin.replaceAll("-", "_")
  const { rows } = await gateway.executeSql("SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = $1 ORDER BY 1", [schema])
  const digests: string[] = []
  for (const { name } of rows) {
    const { rows: found } = await gateway.executeSql(`SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) AS digest FROM ${String(name)} t`)
    digests.push(`${String(name)} ${String(found[0]?.digest)}`)
  }
  return digests.join("\n")
}
