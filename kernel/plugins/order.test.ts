import { deepEqual, match } from "node:assert/strict"
import { type Manifest, service } from "@plugboard/sdk"
import { orderPlugins } from "./order.ts"

const Store = service<object>("store", "1.2.0")
const Search = service<object>("search", "1.0.0")
const plugin = (id: string, rest: Partial<Manifest> = {}) => ({ manifest: { id, version: "1.0.0", sdk: "^1.0.0", ...rest } as Manifest })
const ids = (items: { manifest: Manifest }[]) => items.map((item) => item.manifest.id)

describe("plugin order", () => {
  it("puts a service before its users, soft order next, and equals by id", () => {
    const { ordered } = orderPlugins([plugin("b"), plugin("user", { requires: [Store] }), plugin("a", { after: ["b", "absent"] }), plugin("zstore", { offers: [Store] })], [])
    deepEqual(ids(ordered), ["b", "a", "zstore", "user"])
  })

  it("sets aside what needs a service that nobody offers, and then what needs that", () => {
    const { ordered, aside } = orderPlugins([plugin("top", { requires: [Search] }), plugin("mid", { requires: [Store], offers: [Search] }), plugin("free")], [])
    deepEqual(ids(ordered), ["free"])
    deepEqual(aside.map(({ item }) => item.manifest.id).sort(), ["mid", "top"])
    match(aside.find(({ item }) => item.manifest.id === "mid")?.misfit.reason ?? "", /needs the service store/)
  })

  it("sets aside a user of a newer version than is offered", () => {
    const { aside } = orderPlugins([plugin("user", { requires: [service("store", "2.0.0")] })], [Store])
    match(aside[0]?.misfit.reason ?? "", /needs store 2\.0\.0, and the kernel offers 1\.2\.0/)
  })

  it("names every member of a circle, and lets the others through", () => {
    const { ordered, aside } = orderPlugins([plugin("one", { after: ["two"] }), plugin("two", { after: ["one"] }), plugin("three")], [])
    deepEqual(ids(ordered), ["three"])
    deepEqual(aside.map(({ item }) => item.manifest.id).sort(), ["one", "two"])
    match(aside[0]?.misfit.reason ?? "", /one -> two -> one/)
  })
})
