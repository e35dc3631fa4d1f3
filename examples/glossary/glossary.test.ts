import { deepEqual, equal } from "node:assert/strict"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import glossary from "./index.ts"

describe("glossary", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway({ plugins: [glossary], config: { plugins: { glossary: { terms: { SLA: "Service level agreement" } } } }, clone: true })
  })
  after(() => gateway.close())

  it("lists its terms to a viewer", async () => {
    const { body } = await gateway.as("viewer").get("/v1/x/glossary/terms")
    deepEqual(body, { terms: { SLA: "Service level agreement" } })
  })

  it("is asked for each prompt, and a chat goes on as before", async () => {
    const { status } = await gateway.as("operator").post("/v1/chat/completions", { messages: [{ role: "user", content: "What does our SLA say?" }] })
    equal(status, 200)
  })
})
