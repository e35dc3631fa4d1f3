import { deepEqual, equal } from "node:assert/strict"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { packageOf } from "../../kernel/packages/scratch.ts"

// The embedded database has one gateway.
if (process.env.TEST_DATABASE_URL) {
  describe("two gateways on one database", function nodes() {
    this.timeout(60_000)
    let one: TestGateway
    let two: TestGateway
    before(async () => {
      one = await testGateway()
      const { databaseUrl, dataDir } = one.storage as { databaseUrl: string; dataDir: string }
      two = await testGateway({ on: { databaseUrl, dataDir: `${dataDir}/two`, drop: async () => undefined } as never, token: one.token })
    })
    after(async () => {
      await two.close({ keep: true })
      await one.close()
    })

    const versionAt = async (gateway: TestGateway) => {
      const { status, body } = await gateway.as("viewer").get("/v1/x/roamer/version")
      return status === 200 ? body.version : status
    }
    /** Events reach another node within a second; what they set off takes its time on a busy machine. */
    async function becomes(expected: unknown, look: () => Promise<unknown>): Promise<void> {
      for (let tries = 0; tries < 200; tries++) {
        if ((await look()) === expected) return
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      equal(await look(), expected)
    }
    const add = async (gateway: TestGateway, tarball: Buffer) =>
      (await gateway.as("owner")).fetch("/v1/plugins", { method: "POST", body: new Uint8Array(tarball), headers: { "content-type": "application/gzip" } })

    it("both run what was added to one of them", async () => {
      equal((await add(one, packageOf("roamer", "1.0.0"))).status, 201)
      equal((await two.as("owner").post("/v1/plugins/roamer/grant")).body.state, "active")
      deepEqual([await versionAt(two)], ["1.0.0"])
      await becomes("1.0.0", () => versionAt(one))
    })

    it("both follow an upgrade, a rollback and a switch, whichever was told", async () => {
      await add(two, packageOf("roamer", "2.0.0"))
      await becomes("2.0.0", () => versionAt(one))
      await one.as("owner").post("/v1/plugins/roamer/rollback")
      await becomes("1.0.0", () => versionAt(two))
      await two.as("owner").post("/v1/plugins/roamer/disable")
      await becomes(404, () => versionAt(one))
      const acme = await one.as("admin", "acme")
      await one.as("owner").post("/v1/plugins/roamer/enable")
      await becomes("1.0.0", () => versionAt(two))
      await acme.post("/v1/plugins/roamer/disable", { scope: "tenant" })
      await becomes(404, async () => (await two.as("viewer", "acme").get("/v1/x/roamer/version")).status)
      equal(await versionAt(two), "1.0.0")
    })

    it("both go by a setting of the gateway or of a tenant that was changed at one of them", async () => {
      const origin = "https://board.example"
      const allowed = async () =>
        (await fetch(`${two.url}/v1/agents`, { method: "OPTIONS", headers: { origin, "access-control-request-method": "GET" } })).headers.get("access-control-allow-origin")
      equal(await allowed(), null)
      await (await one.as("owner").rpc()).call("config.patch", { raw: JSON.stringify({ gateway: { allowed_origins: [origin] } }) })
      await becomes(origin, allowed)
      const hashAt = async (gateway: TestGateway) => (await (await gateway.as("owner").rpc()).call("config.get")).hash
      equal(await hashAt(two), await hashAt(one))
      const modelAt = async (gateway: TestGateway) => (await gateway.as("viewer").get("/v1/agents")).body.agents[0].model
      await modelAt(two)
      await one.as("owner").put("/v1/system-configs/agent.default_model", { value: "chosen-model" })
      await becomes("chosen-model", () => modelAt(two))
    })

    it("both switch off what came with them, and one's removal is the other's", async () => {
      await one.as("owner").post("/v1/plugins/chat/disable")
      await becomes(404, async () => (await two.as("viewer").get("/v1/models")).status)
      await two.as("owner").post("/v1/plugins/chat/enable")
      await becomes(200, async () => (await one.as("viewer").get("/v1/models")).status)
      await one.as("owner").delete("/v1/plugins/roamer?purge=true")
      await becomes(404, async () => (await two.as("owner").get("/v1/plugins/roamer")).status)
      await becomes(404, () => versionAt(two))
    })
  })
}
