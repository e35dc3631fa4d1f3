import { deepEqual, equal } from "node:assert/strict"
import { Type } from "typebox"
import { keysOf, masked, mergeSettings, openSettings, sealSettings, withoutFile } from "./settings.ts"
import { misfitOfSettings } from "./settings-check.ts"

const schema = Type.Object({
  name: Type.Optional(Type.String()),
  key: Type.Optional(Type.String({ format: "password" })),
  servers: Type.Optional(Type.Array(Type.Object({ url: Type.String(), token: Type.String({ writeOnly: true }) }))),
  headers: Type.Optional(Type.Record(Type.String(), Type.String({ writeOnly: true }))),
  either: Type.Optional(Type.Union([Type.Object({ pin: Type.String({ format: "password" }) }), Type.Null()])),
})
const settings = { name: "n", key: "k1", servers: [{ url: "u", token: "t1" }], headers: { "x-key": "h1" }, either: { pin: "p1" } }
const shown = { name: "n", key: "***", servers: [{ url: "u", token: "***" }], headers: { "x-key": "***" }, either: { pin: "***" } }
const seal = (field: string, clear: string) => `${field}=${Buffer.from(clear).toString("base64")}`
const open = (field: string, sealed: string) => {
  equal(sealed.startsWith(`${field}=`), true)
  return Buffer.from(sealed.slice(field.length + 1), "base64").toString()
}

describe("settings of plugins", () => {
  const stored = (sealSettings(settings, schema, {}, seal) as { sealed: Record<string, unknown> }).sealed

  it("hold no secret in clear text, wherever the schema has one", () => {
    for (const secret of ["k1", "t1", "h1", "p1"]) equal(JSON.stringify(stored).includes(`"${secret}"`), false)
    deepEqual(openSettings(stored, open), settings)
  })

  it("are shown with *** for each secret", () => deepEqual(masked(settings, schema), shown))

  it("keep a secret that comes back as ***, and take another one", () => {
    const next = { ...shown, key: "k2" }
    const { sealed } = sealSettings(next, schema, stored, seal) as { sealed: Record<string, unknown> }
    deepEqual(openSettings(sealed, open), { ...settings, key: "k2" })
  })

  it("say which secret *** stands for when there is none", () => {
    deepEqual(sealSettings({ servers: [{ url: "u", token: "***" }] }, schema, {}, seal), { missing: "servers.0.token" })
  })

  it("give way to the file, member by member", () => {
    deepEqual(mergeSettings({ a: { b: 1, c: 2 }, d: [1] }, { a: { b: 9 }, d: [2, 3] }), { a: { b: 9, c: 2 }, d: [2, 3] })
    deepEqual(keysOf({ enabled: true, a: { b: 9 }, d: [2] }), ["enabled", "a.b", "d"])
  })

  it("name the key of the file that they contradict, and leave out those that they repeat", () => {
    deepEqual(withoutFile({ a: { b: 1, c: 2 } }, { a: { b: 9 } }), { locked: "a.b" })
    deepEqual(withoutFile({ a: { b: 9, c: 2 }, d: 1 }, { a: { b: 9 } }), { rest: { a: { c: 2 }, d: 1 } })
    deepEqual(withoutFile({ key: "***" }, { key: "secret" }), { rest: {} })
  })

  it("of a package are looked at without its patterns, which could take for ever", () => {
    const hostile = {
      id: "a",
      version: "1.0.0",
      sdk: "^1.0.0",
      config: Type.Object({ text: Type.String({ pattern: "^(a+)+$", maxLength: 100 }) }, { additionalProperties: false }),
    }
    equal(misfitOfSettings(hostile, "package", { text: `${"a".repeat(60)}!` }, "plugins.a"), null)
    equal(misfitOfSettings(hostile, "package", { text: "a", txt: "a" }, "plugins.a"), "plugins.a: txt is unknown; did you mean text?")
    equal(misfitOfSettings(hostile, "package", { text: 7 }, "plugins.a"), "plugins.a: text must be string")
  })
})
