import { equal, ok } from "node:assert/strict"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

describe("a plugin that is switched off", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway({ config: { plugins: { chat: { enabled: false } } } })
  })
  after(() => gateway.close())

  it("has no routes", async () => {
    const client = await gateway.as("admin")
    equal((await client.post("/v1/chat/completions", { messages: [{ role: "user", content: "hi" }] })).status, 404)
    equal((await client.get("/v1/models")).status, 404)
  })

  it("has no methods", async () => {
    const rpc = await gateway.as("admin").rpc()
    const frame = await rpc.request("chat.send", { message: "hi" })
    const nobody = await rpc.request("no.such.method")
    equal(frame.error?.code, "INVALID_REQUEST")
    equal(frame.error?.message, nobody.error?.message.replace("no.such.method", "chat.send"))
  })

  it("is absent from the OpenAPI document", async () => {
    const { body } = await gateway.as("viewer").get("/v1/openapi.json")
    ok(body.paths["/v1/agents"])
    equal(body.paths["/v1/chat/completions"], undefined)
    equal(JSON.stringify(body).includes("chat.completion"), false)
  })

  it("leaves the others at work", async () => {
    equal((await gateway.as("viewer").get("/v1/agents")).status, 200)
    equal((await fetch(`${gateway.url}/health`)).status, 200)
  })
})
