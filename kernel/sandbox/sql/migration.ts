import { gate } from "./gate.ts"

/**
 * The statements of a sandboxed plugin's migration, to be run in this order; rejects with `kernel.sql_refused` when one of them may not run.
 * What a table of tenants needs besides is checked after they have run, as for every plugin.
 */
export async function gateMigration(text: string, schema: string): Promise<string[]> {
  return (await gate({ kind: "migration", text, schema })).texts
}
