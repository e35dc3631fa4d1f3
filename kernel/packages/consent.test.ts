import { deepEqual, equal, ok } from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { defineManifest, Embedders, type Grants, hookDefinitions, Keys, locales } from "@plugboard/sdk"
import { Type } from "typebox"
import { asked, beyond, wordsOf } from "./consent.ts"

const nothing: Grants = { db: false, net: [], secrets: [], services: [], hooks: [], points: [], events: [], jobs: false, files: false, system: false }

describe("consent", () => {
  const manifest = defineManifest({
    id: "notes",
    version: "1.0.0",
    sdk: "^1.0.0",
    requires: [Keys],
    contributes: [Embedders],
    capabilities: { db: true, net: ["b.example.com", "a.example.com"], secrets: ["api_key"] },
    hooks: { "llm.request": { phase: "guard" } },
    listens: ["agents.changed"],
    jobs: { sweep: { data: Type.Object({}) } },
  })

  it("covers what the manifest asks for, and nothing else", () => {
    deepEqual(asked(manifest), {
      ...nothing,
      db: true,
      net: ["a.example.com", "b.example.com"],
      secrets: ["api_key"],
      services: ["kernel.keys"],
      hooks: ["llm.request"],
      points: ["embedders"],
      events: ["agents.changed"],
      jobs: true,
    })
    deepEqual(asked(defineManifest({ id: "a", version: "1.0.0", sdk: "^1.0.0" })), nothing)
  })

  it("has a sentence for each thing, in each language, which names it", () => {
    for (const locale of locales) {
      const said = wordsOf(asked(manifest), locale)
      equal(said.length, 8, said.join("\n"))
      for (const name of ["a.example.com, b.example.com", "api_key", "kernel.keys", "embedders", "agents.changed"])
        ok(
          said.some((line) => line.includes(name)),
          `${locale}: ${name}`,
        )
      equal(said.join().includes("{"), false)
    }
    equal(wordsOf(nothing, "en").length, 1)
  })

  it("says of every hook what is read and what may be changed there, in each language", () => {
    const keys = locales.map((locale) => Object.keys(JSON.parse(readFileSync(join(import.meta.dirname, "texts", `${locale}.json`), "utf8"))))
    for (const own of keys) deepEqual(own, keys[0])
    deepEqual(
      Object.keys(hookDefinitions).filter((hook) => !keys[0]?.includes(`hook ${hook}`)),
      [],
    )
  })

  const cases: [granted: Partial<Grants>, wanted: Partial<Grants>, more: Partial<Grants> | null][] = [
    [{ net: ["*.example.com"] }, { net: ["api.example.com"] }, null],
    [{ net: ["*.example.com"] }, { net: ["*.eu.example.com"] }, null],
    [{ net: ["*"] }, { net: ["*.example.com", "*"] }, null],
    [{ net: ["API.example.com"] }, { net: ["api.example.com"] }, null],
    [{ net: ["api.example.com"] }, { net: ["*.example.com"] }, { net: ["*.example.com"] }],
    [{ net: ["*.example.com"] }, { net: ["example.com"] }, { net: ["example.com"] }],
    [{ net: ["*.example.com"] }, { net: ["evilexample.com"] }, { net: ["evilexample.com"] }],
    [{ net: ["*.example.com"] }, { net: ["*"] }, { net: ["*"] }],
    [{ hooks: ["llm.request"], db: true }, { hooks: ["llm.request"] }, null],
    [{ hooks: ["llm.request"] }, { hooks: ["llm.request", "llm.stream"], jobs: true }, { hooks: ["llm.stream"], jobs: true }],
    [
      {},
      { system: true, files: true, secrets: ["a"], services: ["b"], points: ["c"], events: ["d"] },
      { system: true, files: true, secrets: ["a"], services: ["b"], points: ["c"], events: ["d"] },
    ],
  ]
  for (const [granted, wanted, more] of cases) {
    it(`for ${JSON.stringify(granted)} ${more ? "does not cover" : "covers"} ${JSON.stringify(wanted)}`, () =>
      deepEqual(beyond({ ...nothing, ...granted }, { ...nothing, ...wanted }), more && { ...nothing, ...more }))
  }
})
