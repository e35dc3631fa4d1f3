import { defineManifest, PageQuery, Tools } from "@plugboard/sdk"
import { Type } from "typebox"
import { Clipping } from "./clippings.ts"

const Page = Type.Object({ clippings: Type.Array(Clipping) })

export const manifest = defineManifest({
  id: "clippings",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "A tool with which agents keep passages for their users.",
  contributes: [Tools],
  capabilities: { db: true },
  config: Type.Object(
    {
      keepDays: Type.Integer({ default: 90, minimum: 1, maximum: 3_650, description: "How long a clipping is kept." }),
      maxPerUser: Type.Integer({ default: 1_000, minimum: 1, maximum: 100_000, description: "Clippings of one user; more are refused." }),
    },
    { additionalProperties: false },
  ),
  routes: {
    list: { method: "GET", path: "/v1/x/clippings/items", role: "viewer", summary: "List one's clippings, newest first", tags: ["Clippings"], query: PageQuery, reply: Page },
    get: {
      method: "GET",
      path: "/v1/x/clippings/items/:id",
      role: "viewer",
      summary: "Read a clipping",
      tags: ["Clippings"],
      params: Type.Object({ id: Type.String({ format: "uuid" }) }),
      reply: Clipping,
    },
  },
  rpc: {
    "clippings.list": { role: "viewer", summary: "List one's clippings, newest first", params: PageQuery, result: Page },
    "clippings.expire": { role: "admin", summary: "Remove what is too old now, and not at the next full hour", result: Type.Object({}) },
  },
  events: { "clippings.added": { payload: Type.Object({ id: Type.String() }), to: "user" } },
  jobs: { expire: { data: Type.Object({}), cron: "7 * * * *" } },
  errors: {
    unknown_clipping: { kind: "NOT_FOUND", params: Type.Object({ id: Type.String() }) },
    full: { kind: "RESOURCE_EXHAUSTED", params: Type.Object({ most: Type.Integer() }) },
  },
})
