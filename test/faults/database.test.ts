import { deepEqual, equal, ok } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway } from "../processes.ts"
import { type CuttableProxy, cuttableProxy } from "./cuttable-proxy.ts"

interface Reply {
  status: number
  retryAfter: string | null
}

// Row R5 of the list of bad days. The embedded database is a part of the gateway; only a server can be away.
if (process.env.TEST_DATABASE_URL) {
  describe("a database server that goes away under load", function () {
    this.timeout(180_000)
    const token = "database-test-token-0123456789"
    /** In the order in which they came. */
    const replies: Reply[] = []
    let storage: Awaited<ReturnType<typeof scratchDatabase>>
    let proxy: CuttableProxy
    let gateway: Running
    let key: string
    let loading = true
    let load: Promise<unknown> = Promise.resolve()

    async function ask(path: string, authorization: string, body?: object): Promise<Reply> {
      const response = await fetch(`${gateway.url}${path}`, {
        method: body ? "POST" : "GET",
        headers: { authorization: `Bearer ${authorization}`, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(60_000),
      })
      await response.text()
      return { status: response.status, retryAfter: response.headers.get("retry-after") }
    }
    const chat = () => ask("/v1/chat/completions", key, { messages: [{ role: "user", content: "/say hello" }] })

    /** Waits for that many more replies of a status, under the load that goes on. */
    async function more(count: number, status: number): Promise<void> {
      const from = replies.length
      const deadline = performance.now() + 60_000
      while (replies.slice(from).filter((reply) => reply.status === status).length < count) {
        if (performance.now() > deadline) throw new Error(`no ${count} replies with ${status} in 60 s: ${JSON.stringify(replies.slice(from).map((reply) => reply.status))}`)
        await sleep(50)
      }
    }

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
      equal((await chat()).status, 200)
      const worker = async () => {
        for (; loading; await sleep(20)) replies.push(await chat())
      }
      load = Promise.all(Array.from({ length: 8 }, worker))
    })
    after(async () => {
      loading = false
      await load
      await gateway?.stop()
      await proxy?.close()
      await storage.drop()
    })

    it("answers 503 with Retry-After while it is away", async () => {
      await more(20, 200)
      await proxy.cut()
      await more(40, 503)
      equal((await ask("/health", key)).status, 503)
    })

    it("says so to a key that it cannot look up, instead of refusing it", async () => {
      const unknown = await ask("/v1/agents", "goclaw_00000000000000000000000000000000")
      equal(unknown.status, 503)
      ok(Number(unknown.retryAfter) > 0)
    })

    it("serves again by itself", async () => {
      await proxy.mend()
      await more(40, 200)
      equal((await ask("/health", key)).status, 200)
    })

    it("never told anybody that the key was wrong, or anything else", async () => {
      loading = false
      await load
      deepEqual([...new Set(replies.map(({ status }) => status))].sort(), [200, 503])
      deepEqual(
        replies.filter(({ status, retryAfter }) => status === 503 && !(Number(retryAfter) > 0)),
        [],
      )
    })
  })
}
