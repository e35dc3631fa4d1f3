import { equal, match } from "node:assert/strict"
import type { Manifest } from "@plugboard/sdk"
import { checkManifest } from "./manifest-check.ts"

const base = { id: "glossary", version: "1.0.0", sdk: "^1.0.0" }
const reasonOf = (rest: object) => checkManifest({ ...base, ...rest } as Manifest)?.reason ?? ""

describe("manifest check", () => {
  it("takes a sound manifest", () => {
    equal(checkManifest(base as Manifest), null)
  })

  const misfits: [string, object, RegExp][] = [
    ["an id that is no folder name", { id: "../etc" }, /its id/],
    ["a version that is none", { version: "one" }, /semantic version/],
    ["an SDK that is not this one", { sdk: "^9.0.0" }, /made for SDK \^9\.0\.0/],
    ["a route without access", { routes: { list: { method: "GET", path: "/v1/x", summary: "" } } }, /route list does not say who may call it/],
    ["a method without access", { rpc: { "x.list": { summary: "" } } }, /method x\.list does not say who may call it/],
    ["a role that does not exist", { rpc: { "x.list": { role: "root", summary: "" } } }, /does not say who may call it/],
    ["a role and public at once", { rpc: { "x.list": { role: "viewer", auth: "public", summary: "" } } }, /does not say who may call it/],
    ["a verb that does not exist", { routes: { list: { role: "viewer", method: "FETCH", path: "/v1/x" } } }, /method FETCH/],
    ["a path without a slash", { routes: { list: { role: "viewer", method: "GET", path: "v1/x" } } }, /slash/],
    ["a hook that does not exist", { hooks: { "prompt.made": { phase: "recall" } } }, /hook prompt\.made/],
    ["a phase that does not exist", { hooks: { "prompt.assembling": { phase: "7" } } }, /phase "7"/],
  ]
  for (const [what, rest, reason] of misfits) it(`refuses ${what}`, () => match(reasonOf(rest), reason))
})
