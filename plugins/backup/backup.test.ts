import { equal, ok } from "node:assert/strict"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

describe("backup", () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await testGateway()
  })
  after(() => gateway.close())

  it("copies the embedded database's files for an owner, one copy at a time, and says so in the audit log; a server has none", async () => {
    const owner = await gateway.as("owner")
    const { databaseUrl, dataDir } = gateway.storage as { databaseUrl?: string; dataDir: string }
    const first = await owner.post("/v1/backup/snapshot")
    equal(first.status, 200)
    if (databaseUrl) return equal(first.body.folder, null)
    ok(existsSync(join(first.body.folder, "db", "PG_VERSION")))
    await owner.post("/v1/backup/snapshot")
    equal(readdirSync(join(dataDir, "snapshots")).length, 1)
    const { body } = await owner.get("/v1/activity?action=backup.snapshot_taken")
    equal(body.total, 2)
  })

  it("is for nobody else", async () => {
    equal((await gateway.as("admin").post("/v1/backup/snapshot")).status, 403)
  })
})
