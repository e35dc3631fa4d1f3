import { equal } from "node:assert/strict"
import type { Prompt } from "@plugboard/sdk"
import { hookConformance, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import plugin from "./index.ts"

const prompt = (message: string, ...sections: Prompt["sections"]): Prompt => ({ runId: "r", agentKey: "default", sessionKey: "s", message, sections })
const persona = { key: "persona", text: "You are kind." }

// What every tap must hold to, here and in a process of its own, as it runs when it is installed.
hookConformance({
  plugin: { plugin, folder: import.meta.dirname },
  sandboxed: true,
  hook: "prompt.assembling",
  untouched: [prompt("hello", persona)],
  cases: [{ given: prompt("This is URGENT!", persona), expected: prompt("This is URGENT!", persona, { key: "scaffold", text: "Answer in one sentence." }) }],
})

describe("scaffold", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway({ sandboxed: [import.meta.dirname] })
  })
  after(() => gateway.close())

  it("is asked for each prompt, and a chat goes on", async () => {
    const { status } = await gateway.as("operator").post("/v1/chat/completions", { messages: [{ role: "user", content: "This is urgent." }] })
    equal(status, 200)
  })
})
