import { equal, ok } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway } from "../processes.ts"
import { type CuttableProxy, cuttableProxy } from "./cuttable-proxy.ts"

// Row R5 of the list of bad days. The embedded database is a part of the gateway; only a server can be away.
if (process.env.TEST_DATABASE_URL) {
  describe("a database server that goes away under load", () => {
    const token = "database-test-token-0123456789"
    let storage: Awaited<ReturnType<typeof scratchDatabase>>
    let proxy: CuttableProxy
    let gateway: Running
    let key: string
    const chat = (authorization: string) =>
      fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization, "content-type": "application/json" },
        body: JSON.stringify({ messages: [{ role: "user", content: "/say hello" }] }),
        signal: AbortSignal.timeout(30_000),
      })

    before(async () => {
      storage = await scratchDatabase()
      const direct = new URL(storage.databaseUrl as string)
      proxy = await cuttableProxy({ host: direct.hostname, port: Number(direct.port || 5432) })
      const through = new URL(direct)
      through.hostname = "127.0.0.1"
      through.port = String(proxy.port)
      gateway = await startGateway({ PLUGBOARD_TOKEN: token, PLUGBOARD_PORT: "0", PLUGBOARD_DATA_DIR: storage.dataDir, DATABASE_URL: through.href })
      const made = await fetch(`${gateway.url}/v1/api-keys`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ name: "load", scopes: ["operator.write"] }),
      })
      key = ((await made.json()) as { key: string }).key
    })
    after(async () => {
      await gateway.stop()
      await proxy.close()
      await storage.drop()
    })

    it("answers 503 with Retry-After while it is away, never 401, and serves again by itself", async () => {
      equal((await chat(`Bearer ${key}`)).status, 200)
      const statuses = new Map<number, number>()
      const late: string[] = []
      let loading = true
      const worker = async () => {
        while (loading) {
          const response = await chat(`Bearer ${key}`)
          await response.text()
          statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
          if (response.status === 503 && !response.headers.get("retry-after")) late.push("503 without Retry-After")
          await sleep(20)
        }
      }
      const workers = Promise.all(Array.from({ length: 8 }, worker))
      await sleep(500)
      await proxy.cut()
      await sleep(2_500)
      const unknown = await fetch(`${gateway.url}/v1/agents`, { headers: { authorization: "Bearer goclaw_00000000000000000000000000000000" } })
      equal(unknown.status, 503)
      equal((await fetch(`${gateway.url}/health`)).status, 503)
      await proxy.mend()
      await sleep(3_000)
      loading = false
      await workers
      ok((statuses.get(503) ?? 0) > 0, "the outage was felt")
      equal(statuses.get(401), undefined)
      equal([...statuses.keys()].filter((status) => status !== 200 && status !== 503).length, 0, JSON.stringify([...statuses]))
      equal(late.length, 0)
      equal((await chat(`Bearer ${key}`)).status, 200)
      equal((await fetch(`${gateway.url}/health`)).status, 200)
    }).timeout(60_000)
  })
}
