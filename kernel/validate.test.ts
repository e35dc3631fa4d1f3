import { deepEqual, equal, ok } from "node:assert/strict"
import { failureOf } from "@plugboard/sdk"
import { type TSchema, Type } from "typebox"
import { compileValidator } from "./validate.ts"

const bodyOf = (schema: TSchema, value: unknown) => compileValidator(schema, "body")(value, "body")
const wrongOf = (schema: TSchema, value: unknown) => {
  try {
    bodyOf(schema, value)
  } catch (error) {
    const failure = failureOf(error)
    return { name: failure?.name, where: failure?.params.where, details: failure?.details }
  }
  return undefined
}

describe("a validator", () => {
  it("fills defaults in, at every level", () => {
    const schema = Type.Object({ a: Type.Integer({ default: 1 }), in: Type.Object({ b: Type.String({ default: "x" }) }, { default: {} }) })
    deepEqual(bodyOf(schema, {}), { a: 1, in: { b: "x" } })
  })

  it("names the path, the rule and the type of what does not fit, and never the value", () => {
    const schema = Type.Object({ list: Type.Array(Type.Object({ n: Type.Integer() })), kind: Type.Optional(Type.Enum(["a", "b"])) })
    const details = (value: unknown) => wrongOf(schema, value)?.details
    deepEqual(details({ list: [{ n: 1 }, { n: "secret" }] }), [{ path: "/list/1/n", rule: "type", message: "must be integer, not string" }])
    deepEqual(details({}), [{ path: "/list", rule: "required", message: "is required" }])
    deepEqual(details({ list: [], kind: "secret" }), [{ path: "/kind", rule: "enum", message: 'must be one of "a", "b"' }])
    deepEqual(details([]), [{ path: "", rule: "type", message: "must be object, not array" }])
    equal(wrongOf(schema, null)?.name, "kernel.invalid_request")
  })

  it("keeps unknown members of a body, and coerces nothing in it", () => {
    const schema = Type.Object({ n: Type.Optional(Type.Integer()) })
    deepEqual(bodyOf(schema, { other: { a: 1 } }), { other: { a: 1 } })
    ok(wrongOf(schema, { n: "1" }))
  })

  it("refuses what nobody could store, wherever it stands in a body that is kept, and says where", () => {
    const schema = Type.Object({ text: Type.Optional(Type.String()), other: Type.Optional(Type.Unknown()) })
    for (const [value, path, rule] of [
      [{ text: "a\0" }, "/text", "text"],
      [{ text: "\ud83d" }, "/text", "text"],
      [{ other: [{ in: "\udd26 first" }] }, "/other/0/in", "text"],
      [{ other: { "a\0": 1 } }, "/other", "text"],
      [{ other: JSON.parse(`${"[".repeat(99)}1${"]".repeat(99)}`) }, undefined, undefined],
      [{ other: JSON.parse(`${"[".repeat(100_000)}1${"]".repeat(100_000)}`) }, `/other${"/0".repeat(99)}`, "depth"],
    ] as const)
      deepEqual(
        wrongOf(schema, value)?.details?.map((detail) => [detail.path, detail.rule]),
        path === undefined ? undefined : [[path, rule]],
      )
    deepEqual(wrongOf(Type.Record(Type.String(), Type.Unknown()), JSON.parse('{"__proto__":"\\u0000"}'))?.details?.[0]?.path, "/__proto__")
    deepEqual(bodyOf(schema, { text: "🤦\u202e\ufffd" }), { text: "🤦\u202e\ufffd" })
  })

  it("ignores what nobody could store under a name that nobody knows", () => {
    const schema = Type.Object({ list: Type.Array(Type.Object({ text: Type.Optional(Type.String()) })) })
    const deep = JSON.parse(`${"[".repeat(100_000)}1${"]".repeat(100_000)}`)
    deepEqual(bodyOf(schema, { "a\0": 1, deep, kept: 1, list: [{ other: "\ud83d", text: "x" }], "__proto__\0": 1 }), { kept: 1, list: [{ text: "x" }] })
    ok(wrongOf(schema, { list: [{ text: "\0", other: "\0" }] }))
  })

  it("takes null for absent, but for what may be null", () => {
    const schema = Type.Object({
      text: Type.Optional(Type.String()),
      clear: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      any: Type.Optional(Type.Unknown()),
      count: Type.Integer({ default: 3 }),
      list: Type.Optional(Type.Array(Type.Object({ text: Type.Optional(Type.String()) }))),
      must: Type.String(),
    })
    deepEqual(bodyOf(schema, { text: null, clear: null, any: null, count: null, list: [{ text: null }], must: "x" }), { clear: null, any: null, count: 3, list: [{}], must: "x" })
    const content = Type.Object({ content: Type.Union([Type.String(), Type.Array(Type.Object({ text: Type.Optional(Type.String()) })), Type.Null()]) })
    deepEqual(bodyOf(content, { content: [{ text: null }] }), { content: [{}] })
    deepEqual(bodyOf(content, { content: null }), { content: null })
    deepEqual(wrongOf(schema, { must: null })?.details, [{ path: "/must", rule: "required", message: "is required" }])
  })

  it("takes only an object's own members", () => {
    deepEqual(wrongOf(Type.Object({ toString: Type.String() }), {})?.details, [{ path: "/toString", rule: "required", message: "is required" }])
    ok(wrongOf(Type.Object({ admin: Type.Boolean() }), Object.create({ admin: true })))
  })

  it("is compiled once per schema and mode", () => {
    const schema = Type.Object({ n: Type.Optional(Type.Integer()) })
    equal(compileValidator(schema, "body"), compileValidator(schema, "body"))
    deepEqual(compileValidator(schema, "query")({ n: "1" }, "query"), { n: 1 })
  })

  it("knows formats", () => {
    ok(wrongOf(Type.Object({ id: Type.String({ format: "uuid" }) }), { id: "x" }))
    equal(wrongOf(Type.Object({ id: Type.String({ format: "uuid" }) }), { id: "0193a5b0-7000-7000-8000-000000000001" }), undefined)
  })
})
