import { deepEqual, equal, ok } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { human } from "./room.ts"

describe("backup", function () {
  this.timeout(60_000)
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

  it("is taken while the gateway serves, and restores into an empty database", async () => {
    const owner = await gateway.as("owner")
    await owner.post("/v1/agents", { agent_key: "kept", provider: "loopback", model: "loopback-1" })
    const { body, status } = await owner.post("/v1/system/backup", undefined)
    deepEqual([status, /^plugboard-.*\.backup$/.test(body.file_name)], [200, true])
    const file = await (await owner.fetch(body.download_url)).bytes()
    const lines = gunzipSync(file).toString().split("\n")
    deepEqual([JSON.parse(lines[0] as string).format, JSON.parse(lines[0] as string).secret_keys], ["plugboard-backup", undefined])
    ok(lines.some((line) => line.startsWith("R") && line.includes('"agent_key": "kept"')))
    equal(existsSync(join((gateway.storage as { dataDir: string }).dataDir, "snapshots", "db")), false)
    equal((await owner.get("/v1/activity?action=backup.taken")).body.total, 1)
  })

  it("tells how far it is", async () => {
    const owner = await gateway.as("owner")
    const events = (await (await owner.fetch("/v1/system/backup?stream=true", { method: "POST", body: new FormData() })).text())
      .split("\n")
      .filter((line) => line.startsWith("event:"))
    deepEqual(events, ["event: progress", "event: progress", "event: complete"])
  })

  it("says beforehand whether there is room", async () => {
    const { body } = await (await gateway.as("owner")).get("/v1/system/backup/preflight")
    ok(body.db_size_bytes > 1_000_000 && body.free_disk_bytes > 0 && / MB$/.test(body.db_size_human))
    deepEqual([body.disk_space_ok, body.warnings], [true, []])
  })

  it("is one at a time", async () => {
    const owner = await gateway.as("owner")
    const answers = await Promise.all([owner.post("/v1/system/backup"), owner.post("/v1/system/backup")])
    deepEqual(answers.map(({ status }) => status).sort(), [200, 409])
  })

  it("is found by its token alone", async () => {
    const owner = await gateway.as("owner")
    for (const token of [randomUUID(), "..%2F..%2Fencryption.key"]) equal((await owner.get(`/v1/system/backup/download/${token}`)).status, 404)
  })

  it("is for nobody else", async () => {
    const admin = await gateway.as("admin")
    equal((await admin.post("/v1/backup/snapshot")).status, 403)
    equal((await admin.post("/v1/system/backup")).status, 403)
    for (const path of ["preflight", `download/${randomUUID()}`]) equal((await admin.get(`/v1/system/backup/${path}`)).status, 403)
  })

  it("names sizes as people do", () => {
    deepEqual([0, 999, 12_500_000, 3e15].map(human), ["0 B", "999 B", "12.5 MB", "3000 TB"])
  })
})
