import { equal } from "node:assert/strict"
import { Type } from "typebox"
import { defineManifest, definePlugin, row, sql } from "./index.ts"

// What the compiler must refuse. A line with @ts-expect-error that compiles is an error of `npm run check`.
const Term = Type.Object({ id: Type.String(), name: Type.String() })
const manifest = defineManifest({
  id: "glossary",
  version: "1.0.0",
  sdk: "^1.0.0",
  capabilities: { db: true },
  config: Type.Object({ maxTerms: Type.Integer({ default: 8 }) }, { additionalProperties: false }),
  routes: {
    list: {
      method: "GET",
      path: "/v1/glossary",
      role: "viewer",
      summary: "List terms",
      query: Type.Object({ limit: Type.Integer({ default: 20 }) }),
      reply: Type.Object({ terms: Type.Array(Term) }),
    },
  },
  rpc: { "glossary.count": { role: "viewer", summary: "Count terms", params: Type.Object({ prefix: Type.String() }), result: Type.Object({ count: Type.Number() }) } },
  hooks: { "prompt.assembling": { phase: "recall" } },
  errors: { term_taken: { kind: "ALREADY_EXISTS", params: Type.Pick(Term, ["name"]) } },
})

const whole = definePlugin(manifest, (host) => ({
  routes: {
    list: async ({ query, caller }) => ({ terms: await host.db.for(caller).any(sql.type(row(Term))`SELECT id, name FROM glossary.terms LIMIT ${query.limit}`) }),
  },
  rpc: {
    "glossary.count": async ({ prefix }) => {
      if (prefix === "taken") throw host.fail("term_taken", { name: prefix })
      // @ts-expect-error the manifest declares no such error
      if (prefix === "other") throw host.fail("term_gone", {})
      // @ts-expect-error the error's parameters are declared too
      if (prefix === "short") throw host.fail("term_taken", { title: prefix })
      return { count: host.config.maxTerms }
    },
  },
  hooks: { "prompt.assembling": async (prompt) => ({ ...prompt, sections: [...prompt.sections, { key: "glossary", text: "" }] }) },
}))

// @ts-expect-error the handler of the route is missing
definePlugin(manifest, () => ({ routes: {}, rpc: { "glossary.count": async () => ({ count: 1 }) }, hooks: { "prompt.assembling": async (prompt) => prompt } }))

definePlugin(manifest, () => ({
  // @ts-expect-error the manifest declares no route `remove`
  routes: { list: async () => ({ terms: [] }), remove: async () => ({}) },
  rpc: { "glossary.count": async () => ({ count: 1 }) },
  hooks: { "prompt.assembling": async (prompt) => prompt },
}))

definePlugin(manifest, () => ({
  // @ts-expect-error the reply does not fit its schema
  routes: { list: async () => ({ terms: "none" }) },
  rpc: { "glossary.count": async () => ({ count: 1 }) },
  hooks: { "prompt.assembling": async (prompt) => prompt },
}))

// @ts-expect-error a route says who may call it
defineManifest({ id: "open", version: "1.0.0", sdk: "^1.0.0", routes: { list: { method: "GET", path: "/v1/open", summary: "List", reply: Type.Object({}) } } })

// @ts-expect-error a hook that does not exist
defineManifest({ id: "odd", version: "1.0.0", sdk: "^1.0.0", hooks: { "prompt.made": { phase: "recall" } } })

describe("the types of a plugin", () => {
  it("leave the manifest as pure data", () => {
    equal(JSON.stringify(JSON.parse(JSON.stringify(whole.manifest))), JSON.stringify(whole.manifest))
  })

  it("check rows with the schema of the query", () => {
    const { validate } = row(Term)["~standard"]
    equal("value" in validate({ id: "1", name: "SLA" }), true)
    equal("issues" in validate({ id: 1 }), true)
  })
})
