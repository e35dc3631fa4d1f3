import pg from "pg"

// Types that the wire wants otherwise than pg gives them. The numbers are PostgreSQL's own and never change; the second of each is its array. Source: pg_type.dat.
const parsers = new Map<number, (text: string) => unknown>()
const arrays = (pg.types as unknown as { arrayParser: { create(text: string, parse: (text: string) => unknown): { parse(): unknown[] } } }).arrayParser

function read(one: number, many: number, parse: (text: string) => unknown): void {
  parsers.set(one, parse)
  parsers.set(many, (text) => arrays.create(text, parse).parse())
}

const int8 = [20, 1016] as const
const numeric = [1700, 1231] as const
const timestamptz = [1184, 1185] as const
const date = [1082, 1182] as const
const timestamp = [1114, 1115] as const

read(...int8, Number)
read(...numeric, Number)
read(...timestamptz, instantOf)
// pg makes local midnights of these two.
read(...date, String)
read(...timestamp, String)

/** RFC 3339 in UTC, milliseconds. `infinity` has no such form and stays as it is. */
function instantOf(text: string): string {
  // Every connection is set to UTC, so this is the shape: 2026-03-24 08:00:00.5+00
  if (!text.endsWith("+00") || text.length < 22) return text.endsWith("infinity") ? text : new Date(text).toISOString()
  const time = text.slice(11, -3)
  return `${text.slice(0, 10)}T${time.length === 8 ? `${time}.000` : time.slice(0, 12).padEnd(12, "0")}Z`
}

/** Values of rows, the same on both databases: numbers for int8 and numeric, RFC 3339 for timestamptz, parsed JSON. */
export const rowTypes: pg.CustomTypesConfig = {
  getTypeParser: ((id: number, format?: "text") => parsers.get(id) ?? pg.types.getTypeParser(id, format as "text")) as typeof pg.types.getTypeParser,
}
