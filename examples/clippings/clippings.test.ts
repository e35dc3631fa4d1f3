import { deepEqual, equal, match, ok } from "node:assert/strict"
import { type StartedTool, startTool, type TestGateway, testGateway, toolConformance } from "@plugboard/sdk/testing"
import plugin from "./index.ts"

const given = { plugin, folder: import.meta.dirname }
const passage = { title: "Switchboards", text: "The first one stood in New Haven." }

toolConformance({ plugin: given, sandboxed: true, tool: "clip", works: [passage, { title: "Đoạn", text: "𝒳 và 🙂" }] })

describe("clippings", () => {
  describe("of a user who has as many as there may be", () => {
    let started: StartedTool
    before(async () => {
      started = await startTool({ plugin: given, tool: "clip", config: { plugins: { clippings: { maxPerUser: 2 } } } })
    })
    after(() => started.gateway.close())

    it("take no more, and tell the model so", async () => {
      for (const result of [await started.call(passage), await started.call(passage)]) match(result.content, /^Kept as clipping [0-9a-f-]{36}\.$/)
      const { content, isError } = await started.call(passage)
      ok(isError)
      match(content, /2 clippings already, which is the limit/)
    })
  })

  for (const [where, options] of [
    ["in the gateway's process", { plugins: [given], clone: true }],
    ["in a process of its own", { sandboxed: [import.meta.dirname] }],
  ] as const)
    describe(where, () => {
      let gateway: TestGateway
      before(async () => {
        gateway = await testGateway(options)
        for (const user of ["alice", "bob"]) await clip(user, { title: `${user}'s`, text: "A passage." })
      })
      after(() => gateway.close())

      /** An agent calls the tool for the user; the loopback provider does as it is told. */
      async function clip(user: string, args: object): Promise<void> {
        const { status, body } = await gateway
          .as("operator", "acme", user)
          .post("/v1/chat/completions", { messages: [{ role: "user", content: `/tool clip ${JSON.stringify(args)}` }] })
        equal(status, 200)
        match(body.choices[0].message.content, /The tool answered: Kept as clipping/)
      }
      const titles = (body: { clippings: { title: string }[] }) => body.clippings.map(({ title }) => title)

      it("are listed to their user, to admins, and to no other tenant", async () => {
        deepEqual(titles((await gateway.as("viewer", "acme", "alice").get("/v1/x/clippings/items")).body), ["alice's"])
        deepEqual(titles((await gateway.as("admin", "acme").get("/v1/x/clippings/items?limit=1")).body), ["bob's"])
        deepEqual(titles((await gateway.as("admin", "globex").get("/v1/x/clippings/items")).body), [])
      })

      it("are listed over the socket too", async () => {
        const socket = await gateway.as("viewer", "acme", "bob").rpc()
        deepEqual(titles(await socket.call("clippings.list", { limit: "10" })), ["bob's"])
      })

      it("are read one by one by those who see them, and are unknown to others", async () => {
        const { body } = await gateway.as("viewer", "acme", "alice").get("/v1/x/clippings/items")
        const path = `/v1/x/clippings/items/${body.clippings[0].id}`
        equal((await gateway.as("viewer", "acme", "alice").get(path)).body.text, "A passage.")
        const { status, body: refusal } = await gateway.as("viewer", "acme", "bob").get(path)
        deepEqual([status, refusal.code], [404, "NOT_FOUND"])
        match(refusal.error, /There is no clipping [0-9a-f-]{36} of yours/)
      })

      it("are told to the sockets of their user when they are added", async () => {
        const [alice, bob] = [await gateway.as("viewer", "acme", "alice").rpc(), await gateway.as("viewer", "acme", "bob").rpc()]
        await clip("alice", passage)
        match((await alice.next("clippings.added")).payload.id, /^[0-9a-f-]{36}$/)
        deepEqual(
          bob.events.filter(({ event }) => event === "clippings.added"),
          [],
        )
      })

      it("stand in the audit log", async () => {
        const { rows } = await gateway.executeSql("SELECT DISTINCT action FROM kernel.activity WHERE action LIKE 'clipping%'")
        deepEqual(rows, [{ action: "clipping.added" }])
      })

      it("expire", async () => {
        await gateway.executeSql("UPDATE clippings.clippings SET created_at = now() - interval '91 days' WHERE title = 'bob''s'")
        const admin = await gateway.as("admin", "acme").rpc()
        await admin.call("clippings.expire")
        const deadline = performance.now() + 15_000
        const left = async () => titles((await gateway.as("admin", "acme").get("/v1/x/clippings/items")).body)
        while ((await left()).includes("bob's") && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 100))
        deepEqual(await left(), ["Switchboards", "alice's"])
      })
    })
})
