import { deepEqual, equal, rejects } from "node:assert/strict"
import { Lookup } from "./lookup.ts"

describe("a look-up", () => {
  let asked: string[]
  let table: Map<string, { id: string }>
  beforeEach(() => {
    asked = []
    table = new Map([["a", { id: "1" }]])
  })
  const lookup = (load?: (key: string) => Promise<{ id: string } | null>) =>
    new Lookup<{ id: string }>({
      max: 3,
      ttlMs: 60_000,
      missTtlMs: 60_000,
      load:
        load ??
        (async (key) => {
          asked.push(key)
          return table.get(key) ?? null
        }),
    })

  it("asks once, for those who ask together and those who ask later", async () => {
    const rows = lookup()
    await Promise.all([rows.get("a"), rows.get("a")])
    deepEqual(await rows.get("a"), { id: "1" })
    deepEqual(asked, ["a"])
  })

  it("answers what it knows without a promise", async () => {
    const rows = lookup()
    await rows.get("a")
    deepEqual(rows.get("a"), { id: "1" })
  })

  it("does not let invented keys push out what is in use, nor ask again for them", async () => {
    const rows = lookup()
    await rows.get("a")
    for (const invented of ["x1", "x2", "x3", "x3"]) equal(await rows.get(invented), null)
    await rows.get("a")
    deepEqual(asked, ["a", "x1", "x2", "x3"])
  })

  it("believes nothing missing any more once something has changed", async () => {
    const rows = lookup()
    equal(await rows.get("b"), null)
    table.set("b", { id: "2" })
    rows.forget(() => false)
    deepEqual(await rows.get("b"), { id: "2" })
  })

  it("forgets only what fits", async () => {
    table.set("b", { id: "2" })
    const rows = lookup()
    await rows.get("a")
    await rows.get("b")
    rows.forget((row) => row.id === "1")
    await rows.get("a")
    await rows.get("b")
    deepEqual(asked, ["a", "b", "a"])
  })

  it("does not remember what was read before a change that came while it was read", async () => {
    const answers = [{ id: "old" }, { id: "new" }]
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const rows = lookup(async () => {
      const answer = answers.shift() ?? null
      if (answer?.id === "old") await gate
      return answer
    })
    const first = rows.get("a")
    rows.forget((row) => row.id === "old")
    const second = rows.get("a")
    release()
    deepEqual(await first, { id: "old" })
    deepEqual(await second, { id: "new" })
    deepEqual(await rows.get("a"), { id: "new" })
  })

  it("fails as the database does, and asks again the next time", async () => {
    let broken = true
    const rows = lookup(async () => {
      if (broken) throw new Error("connection refused")
      return { id: "1" }
    })
    await rejects(async () => rows.get("a"), /connection refused/)
    broken = false
    deepEqual(await rows.get("a"), { id: "1" })
  })
})
