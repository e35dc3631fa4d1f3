import { defineManifest, PageQuery, Prices, Providers } from "@plugboard/sdk"
import { Type } from "typebox"
import { NewPrice, PriceChange, WirePrice } from "./wire.ts"

const tags = ["Prices"]
const Id = Type.Object({ id: Type.String() })
const Deleted = Type.Object({ status: Type.Literal("deleted") })
const Filter = {
  provider: Type.Optional(Type.String({ maxLength: 100, description: "Only of this provider or maker." })),
  model: Type.Optional(Type.String({ maxLength: 255, description: "Only models with this in their name." })),
}
const Page = Type.Object({ prices: Type.Array(WirePrice), total: Type.Integer(), limit: Type.Integer(), offset: Type.Integer() })
const Asked = Type.Object({ provider: Type.String({ minLength: 1, maxLength: 100 }), model: Type.String({ minLength: 1, maxLength: 255 }) })
const Answer = Type.Object({
  by: Type.Enum(["own", "table", "local", "nobody"], { description: "Who says so: the tenant, the table, the fact that it runs here, or nobody." }),
  price: Type.Union([WirePrice, Type.Null()]),
})

export const manifest = defineManifest({
  id: "prices",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "What models cost: a table with its sources, and a tenant's own prices.",
  requires: [Providers],
  offers: [Prices],
  listens: ["providers.changed"],
  capabilities: { db: true },
  routes: {
    list: {
      method: "GET",
      path: "/v1/prices",
      role: "viewer",
      summary: "Prices of models: the tenant's own, then those that came with the gateway",
      tags,
      query: Type.Object({ ...PageQuery.properties, ...Filter, own: Type.Optional(Type.String({ description: "`true`: only the tenant's own." })) }),
      reply: Page,
      alsoAs: "payload",
    },
    of: { method: "GET", path: "/v1/prices/of", role: "viewer", summary: "What a model of a provider costs, and who says so", tags, query: Asked, reply: Answer },
    create: { method: "POST", path: "/v1/prices", role: "admin", summary: "Say what a model costs", tags, status: 201, body: NewPrice, reply: WirePrice },
    get: { method: "GET", path: "/v1/prices/:id", role: "viewer", summary: "Show one of the tenant's own prices", tags, params: Id, reply: WirePrice },
    update: { method: "PUT", path: "/v1/prices/:id", role: "admin", summary: "Change one of the tenant's own prices", tags, params: Id, body: PriceChange, reply: WirePrice },
    remove: { method: "DELETE", path: "/v1/prices/:id", role: "admin", summary: "Remove one of the tenant's own prices", tags, params: Id, reply: Deleted },
  },
  rpc: {
    "prices.list": {
      role: "viewer",
      summary: "Prices of models: the tenant's own, then those that came with the gateway",
      params: Type.Object({ ...Filter, own: Type.Optional(Type.Boolean()), limit: Type.Optional(Type.Integer()), offset: Type.Optional(Type.Integer()) }),
      result: Page,
    },
    "prices.of": { role: "viewer", summary: "What a model of a provider costs, and who says so", params: Asked, result: Answer },
    "prices.create": { role: "admin", summary: "Say what a model costs", params: NewPrice, result: WirePrice },
    "prices.update": {
      role: "admin",
      summary: "Change one of the tenant's own prices",
      params: Type.Object({ ...Id.properties, ...PriceChange.properties }),
      result: WirePrice,
      order: "id",
    },
    "prices.delete": { role: "admin", summary: "Remove one of the tenant's own prices", params: Id, result: Deleted, order: "id" },
  },
  events: { "prices.changed": { payload: Type.Object({}), to: "internal" } },
  errors: {
    unknown_price: { kind: "NOT_FOUND", params: Type.Object({ price: Type.String() }) },
    price_taken: { kind: "ALREADY_EXISTS", params: Type.Object({ model: Type.String() }) },
    no_model: { kind: "INVALID_REQUEST" },
    too_many_prices: { kind: "FAILED_PRECONDITION", params: Type.Object({ most: Type.Integer() }) },
  },
})
