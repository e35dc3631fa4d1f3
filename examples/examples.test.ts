import { deepEqual, match } from "node:assert/strict"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

/** Each example program as its README says, against a gateway with the loopback provider. */
describe("the example clients", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())

  async function run(example: string): Promise<string> {
    const env = { ...process.env, PLUGBOARD_URL: gateway.url, PLUGBOARD_TOKEN: gateway.token ?? "" }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, example)], { env, timeout: 15_000 })
    deepEqual(stderr, "")
    return stdout
  }

  it("chats with the openai package: whole, streamed, with a tool, refused", async () => {
    const said = await run("openai-client/chat.ts")
    match(said, /^whole {4}\S/m)
    match(said, /^streamed ([2-9]|\d\d+) pieces, \d+ tokens$/m)
    match(said, /^tool {5}.*\d\d:\d\d/m)
    match(said, /^refused {2}404 /m)
  })

  it("chats over a WebSocket: streamed, with a tool, and finds it in the history", async () => {
    const said = await run("ws-client/chat.ts")
    match(said, /^I am {5}/m)
    match(said, /^calls {4}datetime \{/m)
    match(said, /^gets {5}\S/m)
    match(said, /^user {6}Tell me about switchboards\.$/m)
    match(said, /^assistant \S/m)
  })
})
