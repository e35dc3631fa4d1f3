import { deepEqual, equal } from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { testGateway } from "@plugboard/sdk/testing"

// Bad days, R10. The package was made from examples/clippings with SDK 1.0.0, once; it is never packed again.
describe("a package that was made with the first SDK", function old() {
  this.timeout(60_000)

  it("still activates: its tables, its routes and its methods are there", async () => {
    const gateway = await testGateway()
    try {
      const owner = await gateway.as("owner")
      const tarball = readFileSync(join(import.meta.dirname, "made-with-sdk-1.0.0.tgz"))
      equal((await owner.fetch("/v1/plugins", { method: "POST", headers: { "content-type": "application/gzip" }, body: tarball })).status, 201)
      const { body } = await owner.post("/v1/plugins/clippings/grant", {})
      equal(body.state, "active", JSON.stringify(body))
      const { status, body: page } = await gateway.as("viewer").get("/v1/x/clippings/items")
      deepEqual([status, Object.values(page).find(Array.isArray)], [200, []])
      deepEqual(Object.values(await (await gateway.as("viewer").rpc()).call("clippings.list")).find(Array.isArray), [])
    } finally {
      await gateway.close()
    }
  })
})
