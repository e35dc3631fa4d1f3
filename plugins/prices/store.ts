import { type Queries, row, sql } from "@plugboard/sdk"
import { type Static, Type } from "typebox"

const Nano = Type.Integer()
const Part = Type.Union([Nano, Type.Null()])
export const PriceRow = Type.Object({
  id: Type.String(),
  provider: Type.String(),
  model: Type.String(),
  input: Nano,
  output: Nano,
  cached_input: Part,
  cache_write: Part,
  reasoning: Part,
  note: Type.String(),
  created_at: Type.String(),
  updated_at: Type.String(),
})
export type PriceRow = Static<typeof PriceRow>
export type Written = Omit<PriceRow, "id" | "created_at" | "updated_at">

/** So many a tenant may have: all of them are in memory while it asks its models. */
export const mostPrices = 2_000
const columns = sql.fragment`id, provider, model, input, output, cached_input, cache_write, reasoning, note, created_at, updated_at`
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const Nothing = row(Type.Object({}))

export function ownPrices(db: Queries) {
  return db.any(sql.type(row(PriceRow))`SELECT ${columns} FROM prices.prices ORDER BY model, provider LIMIT ${mostPrices}`)
}

export async function countPrices(db: Queries): Promise<number> {
  return (await db.one(sql.type(row(Type.Object({ count: Nano })))`SELECT count(*) AS count FROM prices.prices`)).count
}

export async function findPrice(db: Queries, id: string) {
  return uuid.test(id) ? db.maybeOne(sql.type(row(PriceRow))`SELECT ${columns} FROM prices.prices WHERE id = ${id}`) : null
}

/** Null when the tenant has one of that provider and model. */
export function insertPrice(db: Queries, id: string, price: Written) {
  return db.maybeOne(sql.type(row(PriceRow))`
    INSERT INTO prices.prices (id, provider, model, input, output, cached_input, cache_write, reasoning, note)
    VALUES (${id}, ${price.provider}, ${price.model}, ${price.input}, ${price.output}, ${price.cached_input}, ${price.cache_write}, ${price.reasoning}, ${price.note})
    ON CONFLICT (tenant_id, provider, model) DO NOTHING RETURNING ${columns}`)
}

/** Null when it is gone, or when another one has that provider and model. */
export function updatePrice(db: Queries, id: string, price: Written) {
  return db.maybeOne(sql.type(row(PriceRow))`
    UPDATE prices.prices p SET provider = ${price.provider}, model = ${price.model}, input = ${price.input}, output = ${price.output}, cached_input = ${price.cached_input},
      cache_write = ${price.cache_write}, reasoning = ${price.reasoning}, note = ${price.note}, updated_at = now()
    WHERE id = ${id} AND NOT EXISTS (SELECT FROM prices.prices o WHERE o.id <> p.id AND o.provider = ${price.provider} AND o.model = ${price.model}) RETURNING ${columns}`)
}

export async function deletePrice(db: Queries, id: string): Promise<boolean> {
  return (await db.query(sql.type(Nothing)`DELETE FROM prices.prices WHERE id = ${id}`)).rowCount > 0
}
