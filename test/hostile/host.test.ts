import { deepEqual, equal, match, ok } from "node:assert/strict"
import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { hostname } from "node:os"
import { join } from "node:path"
import { type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { type Chats, keepChatting, refusalIn } from "./chats.ts"

// The host, in ways that it is not meant for: other hosts, other tables, other tenants, other names. Refusals are typed errors in the plugin and entries in the audit log.
const mallory = join(import.meta.dirname, "plugins", "mallory")

describe("a hostile plugin, by its host", () => {
  let gateway: TestGateway
  let acme: TestClient
  let globex: TestClient
  let chats: Chats
  let redirecting: Server
  let reached = 0

  before(async () => {
    redirecting = createServer((request, response) => {
      const [, to = ""] = /^\/to\/(.+)$/.exec(request.url ?? "") ?? []
      reached += to === "" ? 1 : 0
      response.writeHead(to === "" ? 200 : 302, to === "" ? {} : { location: decodeURIComponent(to) }).end("inside")
    }).listen(0, "127.0.0.1")
    await once(redirecting, "listening")
    gateway = await testGateway({ sandboxed: [mallory], config: { network: { allowPrivateHosts: [`localhost:${port()}`] } } })
    acme = await gateway.as("viewer", "acme")
    globex = await gateway.as("viewer", "globex")
    chats = keepChatting(gateway)
  })
  after(async () => {
    await chats.end().finally(() => gateway.close())
    redirecting.close()
  })

  async function attack(name: string, given?: unknown, client = acme) {
    const { status, body } = await client.post("/v1/x/mallory/attack", { name, given })
    equal(status, 200, JSON.stringify(body))
    return body as { got?: unknown; refused?: string; code?: string }
  }
  async function refused(code: string, name: string, given?: unknown) {
    const outcome = await attack(name, given)
    deepEqual([outcome.got, outcome.code], [undefined, code], JSON.stringify(outcome))
  }
  const port = () => (redirecting.address() as AddressInfo).port

  describe("to other hosts", () => {
    const egress: [what: string, name: string, given: () => string][] = [
      ["a host that it has not declared", "fetch by the host", () => "https://example.com/"],
      ["a declared name that is private here, when it is checked", "check an address", () => "http://localhost:1/"],
      ["a declared name that is private here, when it connects", "fetch by the host", () => "http://localhost:1/"],
      ["an address behind a name that it has declared", "fetch by the host", () => `http://127.0.0.1:${port()}/`],
      ["this machine by its own name", "fetch by the host", () => `http://${hostname()}:${port()}/`],
      ["a file", "fetch by the host", () => "file:///etc/passwd"],
      ["an address with a user name in it", "fetch by the host", () => `http://localhost@127.0.0.1:${port()}/`],
      ["another host behind a declared one", "name another host in a header", () => `http://localhost:${port()}/`],
      ["a tunnel", "open a tunnel", () => `http://localhost:${port()}/`],
      ["this machine by a redirect", "follow a redirect", () => `http://localhost:${port()}/to/${encodeURIComponent(`http://127.0.0.1:${port()}/`)}`],
      ["another port of this machine by a redirect", "follow a redirect", () => `http://localhost:${port()}/to/${encodeURIComponent("http://localhost:1/")}`],
      ["the cloud's metadata by a redirect", "follow a redirect", () => `http://localhost:${port()}/to/${encodeURIComponent("http://169.254.169.254/latest/meta-data/")}`],
    ]
    for (const [what, name, given] of egress) it(`does not reach ${what}`, () => refused("kernel.egress_refused", name, given()))

    it("reaches what was granted, and nobody else heard of it", async () => {
      deepEqual(await attack("fetch by the host", `http://localhost:${port()}/`), { got: 200 })
      equal(reached, 1)
      await refusalIn(gateway, "mallory", /a call to example\.com/)
      await refusalIn(gateway, "mallory", /a call to 169\.254\.169\.254/)
    })
  })

  describe("to other rows", () => {
    const texts: [what: string, text: string][] = [
      ["another plugin's tables", "SELECT * FROM agents.agents"],
      ["the kernel's", "SELECT key_hash FROM kernel.api_keys"],
      ["the catalog", "SELECT rolname FROM pg_roles"],
      ["the catalog by a view of the standard", "SELECT table_name FROM information_schema.tables"],
      ["another role", "SET ROLE postgres"],
      ["its own role again", "RESET ROLE"],
      ["another tenant by a setting", "SELECT set_config('plugboard.tenant', '0193a5b0-7000-7000-8000-000000000001', false)"],
      ["settings", "SELECT current_setting('data_directory')"],
      ["a second statement", "SELECT 1; DROP TABLE mallory.loot"],
      ["another schema from within WITH", "WITH gone AS (DELETE FROM agents.agents RETURNING 1) SELECT count(*) FROM gone"],
      ["a file", "SELECT pg_read_file('/etc/passwd')"],
      ["a file by a column of a function", "SELECT t.pg_read_file FROM generate_series(1, 2) AS t"],
      ["a program", "COPY mallory.loot TO PROGRAM 'id'"],
      ["a file by COPY", "COPY mallory.loot FROM '/etc/passwd'"],
      ["a large object", "SELECT lo_import('/etc/passwd')"],
      ["another database", "SELECT * FROM dblink('host=localhost', 'SELECT 1') AS t(a int)"],
      ["time", "SELECT pg_sleep(10)"],
      ["locks of everybody", "SELECT pg_advisory_lock(7265843149)"],
      ["a lock on its whole table", "LOCK TABLE mallory.loot IN ACCESS EXCLUSIVE MODE"],
      ["other sessions", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"],
      ["rows without end", "SELECT generate_series(1, 1000000000)"],
      ["SQL within SQL", "SELECT query_to_xml('SELECT * FROM kernel.api_keys', true, true, '')"],
      ["code", "DO $$ BEGIN PERFORM 1; END $$"],
      ["its own table without row-level security", "ALTER TABLE mallory.loot NO FORCE ROW LEVEL SECURITY"],
      ["a function of its own", "CREATE FUNCTION mallory.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"],
      ["what everybody says", "NOTIFY plugboard, 'mallory'"],
      ["a transaction of its own", "BEGIN"],
    ]
    for (const [what, text] of texts) it(`does not reach ${what}`, () => refused("kernel.sql_refused", "query", text))

    it("does not see another tenant's rows, nor write them", async () => {
      await attack("loot", 1)
      deepEqual((await attack("loot", 2, globex)).got, [{ id: 2, what: "mine" }])
      deepEqual((await attack("query", `SELECT id FROM mallory.loot WHERE tenant_id <> '${acme.tenantId}'`)).got, [])
      const { got, refused } = await attack("query", `INSERT INTO mallory.loot (tenant_id, id, what) VALUES ('${globex.tenantId}', 3, 'theirs') RETURNING id`)
      equal(got, undefined)
      ok(refused)
      deepEqual((await gateway.executeSql("SELECT id FROM mallory.loot WHERE tenant_id = $1", [globex.tenantId])).rows, [{ id: 2 }])
    })

    it("holds no lock for long: its transaction is rolled back, and it waits before the next", async () => {
      await refused("kernel.transaction_expired", "hold a transaction open")
      ok(gateway.logs.some((line) => line.includes("transaction of a plugin took too long") && line.includes("pausedMs")))
    })

    it("is in the audit log of the tenant for which it acted", async () => {
      await refusalIn(gateway, "mallory", /a statement: .*SET|a statement: /)
      const { rows } = await gateway.executeSql(
        "SELECT DISTINCT tenant_id::text AS tenant FROM kernel.activity WHERE action = 'plugin.refused' AND details->>'what' LIKE 'a statement:%'",
      )
      deepEqual(rows, [{ tenant: acme.tenantId }])
    })
  })

  describe("for other callers", () => {
    it("acts for no caller whose handle it has made up", () => refused("kernel.caller_expired", "forge a handle", globex.tenantId))

    it("acts for the caller whom it was lent, whatever else it writes into it", async () => {
      await attack("loot", 2, globex)
      const { got } = await attack("change the tenant of a caller", globex.tenantId)
      ok(!(got as { id: number }[]).some(({ id }) => id === 2))
    })

    it("acts for no caller whose call has ended", async () => {
      await attack("keep a caller", undefined, globex)
      await refused("kernel.caller_expired", "use a kept caller")
    })

    it("passes no made-up caller to a service, also within data", async () => {
      await refused("kernel.caller_expired", "pass a made-up caller to a service", globex.tenantId)
      await refused("kernel.caller_expired", "pass a made-up caller within data", globex.tenantId)
      await refused("kernel.caller_expired", "call a service without a caller")
      await refusalIn(gateway, "mallory", /for a caller that it was not lent/)
    })
  })

  describe("under other names", () => {
    const names: [what: string, name: string, audit: RegExp][] = [
      ["a service that it has not asked for", "use a service that it has not asked for", /the service kernel\.keys/],
      ["a method that every object has", "call a method that every object has", /the method __defineGetter__/],
      ["a secret of another's", "open a secret of another's", /the secret api_key/],
      ["a seal under another's name", "seal under another's name", /the secret providers/],
      ["another's job", "queue another's job", /the job lease/],
      ["every tenant", "work for every tenant", /work for all tenants/],
    ]
    for (const [what, name, audit] of names) {
      it(`gets nothing of ${what}`, async () => {
        await refused("kernel.not_granted", name)
        await refusalIn(gateway, "mallory", audit)
      })
    }

    it("publishes no event of another's", async () => {
      await attack("publish another's event")
      match(await refusalIn(gateway, "mallory", /kernel\.plugins_changed/), /event/)
    })
  })
})
