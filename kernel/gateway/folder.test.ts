import { equal, match, rejects } from "node:assert/strict"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

describe("a gateway and its data folder", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway({ bundled: false })
  })
  after(() => gateway.close())

  it("refuses a second gateway in the same folder, on either database, and says what to do", async () => {
    await rejects(testGateway({ bundled: false, on: gateway.storage }), /The data folder .* is in use by process \d+\. Stop that gateway, .*PLUGBOARD_DATA_DIR to another folder/)
  })

  if (process.env.TEST_DATABASE_URL) {
    it("lets others in on the same server, each in a folder of its own", async () => {
      const folder = mkdtempSync(join(tmpdir(), "plugboard-second-"))
      const second = await testGateway({ bundled: false, on: gateway.storage, env: { PLUGBOARD_DATA_DIR: folder } })
      await second.close({ keep: true })
      rmSync(folder, { recursive: true })
    })
  }

  it("answers what is no request in the common form", async () => {
    const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1")
    let text = ""
    socket.on("data", (part) => {
      text += part.toString("latin1")
    })
    socket.write("NONSENSE\r\n\r\n")
    await once(socket, "close")
    match(text, /^HTTP\/1\.1 400 /)
    equal(JSON.parse(text.slice(text.indexOf("{"))).code, "INVALID_REQUEST")
  })
})
