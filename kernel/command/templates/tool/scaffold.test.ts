import { equal, match } from "node:assert/strict"
import { type StartedTool, startTool, type TestGateway, testGateway, toolConformance } from "@plugboard/sdk/testing"
import plugin from "./index.ts"

const given = { plugin, folder: import.meta.dirname }

// What every tool must hold to, here and in a process of its own, as it runs when it is installed.
toolConformance({
  plugin: given,
  sandboxed: true,
  tool: "scaffold_count",
  works: [{ text: "one two three" }],
  fails: [{ text: "word ".repeat(1_001) }],
})

describe("scaffold", () => {
  describe("the tool", () => {
    let started: StartedTool
    before(async () => {
      started = await startTool({ plugin: given, tool: "scaffold_count" })
    })
    after(() => started.gateway.close())

    it("counts words", async () => {
      equal((await started.call({ text: " one  two\nthree " })).content, "3 words")
    })
  })

  describe("in a chat", () => {
    let gateway: TestGateway
    before(async () => {
      gateway = await testGateway({ sandboxed: [import.meta.dirname] })
    })
    after(() => gateway.close())

    it("is called by an agent", async () => {
      // The provider `loopback` does what the message says, and repeats what the tool answers.
      const { body } = await gateway.as("operator").post("/v1/chat/completions", { messages: [{ role: "user", content: '/tool scaffold_count {"text":"one two"}' }] })
      match(body.choices[0].message.content, /The tool answered: 2 words/)
    })
  })
})
