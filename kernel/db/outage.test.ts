import { deepEqual, equal, rejects } from "node:assert/strict"
import { isError } from "@plugboard/sdk"
import { acme, allNotes, notesDatabase } from "./notes.test.ts"
import { canStartServer, ownServer } from "./own-server.test.ts"

if (canStartServer) {
  describe("a database server that is stopped", function () {
    this.timeout(60_000)

    it("fails as an outage, and serves again by itself", async () => {
      const own = await ownServer()
      const there = await notesDatabase({ databaseUrl: own.url })
      try {
        deepEqual(await there.db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
        own.control("stop")
        for (let round = 0; round < 5; round += 1) await rejects(there.db.tenant("notes", acme).any(allNotes), unavailable)
        equal(await there.db.ping(), false)
        own.control("start")
        deepEqual(await there.db.tenant("notes", acme).any(allNotes), [{ text: "of acme" }])
        equal(await there.db.ping(), true)
        await rejects(there.open({ databaseUrl: own.url.replace(/:\d+\//, ":1/") }), unavailable)
      } finally {
        await there.drop()
        own.remove()
      }
    })
  })
}

function unavailable(error: unknown): boolean {
  return isError(error, "kernel.database_unavailable") && error.failure.retryAfterMs === 1_000
}
