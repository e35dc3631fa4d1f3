import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { unlimitedName } from "../db/binding.ts"
import type { Pool } from "../db/pool.ts"
import { type SecretBox, sealedPattern } from "../secrets.ts"
import { inStretches, type SealedColumn } from "./sealed-columns.ts"

const Nothing = row(Type.Object({}))
const Found = row(Type.Object({ place: Type.String(), text: Type.String(), row: Type.Unsafe<Record<string, unknown>>(Type.Object({})) }))

/** Back from text. */
const casts: Readonly<Record<string, typeof sql.fragment extends (...args: never[]) => infer F ? F : never>> = {
  json: sql.fragment`::json`,
  jsonb: sql.fragment`::jsonb`,
  "text[]": sql.fragment`::text[]`,
}

/**
 * Seals with the newest key what any of `keys` has sealed. What was done is done for good, stretch by stretch: begun anew, it finds the rest. Answers how many values it has changed.
 * A value that opens nowhere is left as it is.
 */
export async function reseal(
  pool: Pool,
  { column, schema, table, type, ...rest }: SealedColumn,
  keys: readonly string[],
  secrets: SecretBox,
  signal: AbortSignal,
): Promise<number> {
  const [name, at] = [sql.identifier([column]), sql.identifier([schema, table])]
  const as = casts[type] ?? sql.fragment``
  const wanted = `v[12]:(${keys.join("|")}):`
  let changed = 0
  await inStretches(pool, { column, schema, table, type, ...rest }, async ({ run }, from, to) => {
    if (signal.aborted) return
    const { rows } = await run(
      "owner",
      sql.type(Found)`
        SELECT ctid::text AS place, ${name}::text AS text, to_jsonb(found) AS row FROM ${at} AS found
        WHERE ctid >= ${from}::tid AND ctid < ${to}::tid AND ${name}::text ~ ${wanted} FOR UPDATE`,
      unlimitedName,
    )
    let here = 0
    for (const found of rows) {
      const before = here
      const text = found.text.replace(sealedPattern, (sealed) => {
        const anew = keys.includes(sealed.slice(3, 11)) ? secrets.reseal(sealed, rest.places(found.row)) : undefined
        if (anew !== undefined) here += 1
        return anew ?? sealed
      })
      // The row stays where it is for as long as it is locked.
      if (here > before) await run("owner", sql.type(Nothing)`UPDATE ${at} SET ${name} = ${text}::text${as} WHERE ctid = ${found.place}::tid`)
    }
    if (here > 0) await run("owner", sql.type(Nothing)`UPDATE kernel.encryption SET resealed = resealed + ${here}`)
    changed += here
  })
  return changed
}
