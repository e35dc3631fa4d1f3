import { deepEqual, equal, ok } from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { defineManifest, definePlugin, type RouteDecl, Tools } from "@plugboard/sdk"
import { type RpcClient, type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { Type } from "typebox"
import { belongingsOf, identifiersOf, othersOf, settled } from "./belongings.ts"
import { type Fill, paramsOf, requestTo, textsAskedBy } from "./sample.ts"

/** What one answer looks like from outside. */
interface Told {
  good: boolean
  text: string
}

/** A tool that never answers: a run that calls it is under way until somebody aborts it. */
const hold = definePlugin(defineManifest({ id: "hold", version: "1.0.0", sdk: "^1.0.0", contributes: [Tools] }), (host) => {
  host.contribute(Tools, "hold", {
    name: "hold",
    description: "Waits.",
    parameters: Type.Object({}),
    risk: "safe",
    call: (_, __, signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true })),
  })
  return {}
})

// Bad days, S11, S12 and S13: every route and method that is served, with the ids of others.
describe("isolation", function isolation() {
  this.timeout(300_000)
  const ofTenant = `canary-${randomBytes(6).toString("hex")}`
  const ofUser = `canary-${randomBytes(6).toString("hex")}`
  let gateway: TestGateway
  let theirs: string
  before(async () => {
    gateway = await testGateway({ plugins: [hold], config: { gateway: { drain_seconds: 0 }, plugins: { chat: { toolTimeoutMs: 600_000 } } } })
    theirs = await gateway.tenant("theirs")
    await gateway.tenant("ours")
    await fillWith(await gateway.as("admin", "theirs", "vera"), ofTenant)
    await fillWith(await gateway.as("operator", "theirs", "victor"), ofUser)
    await fillWith(await gateway.as("admin", "ours", "mallory"), "ours")
    await beginRun(await gateway.as("admin", "theirs", "vera"), ofTenant)
    await beginRun(await gateway.as("operator", "theirs", "victor"), ofUser)
    await settled(gateway, theirs)
  })
  after(() => gateway.close())

  const routes = () => gateway.registry.current.routes.filter(({ decl }) => decl.auth !== "webhook" && !(decl.body !== undefined && "bodyKind" in (decl.body as object)))
  const methods = () => [...gateway.registry.current.methods.values()].filter(({ decl }) => decl.before === undefined)

  /** Calls whatever makes something, with `mark` in every text, so that there is something to find. What does not fit is refused, which is fine. */
  async function fillWith(client: TestClient, mark: string): Promise<void> {
    const fill: Fill = (path, { pattern, format }) =>
      pattern !== undefined || format !== undefined || /(^|\.)(id|.*_id|.*Id|.*key|.*Key|model|provider|type|scopes)$/.test(path) ? undefined : `${mark} ${path}`
    for (const whole of [false, true]) {
      for (const { decl } of routes()) if (decl.method === "POST" && !/[:*]/.test([decl.path].flat()[0] as string)) await send(client, decl, fill, "", whole)
      const socket = await client.rpc()
      for (const { method, decl } of methods()) await call(socket, method, paramsOf(decl, fill, whole))
      socket.close()
    }
    await client.post("/v1/chat/completions", { model: "default", messages: [{ role: "user", content: mark }], user: mark })
    await client.post("/v1/agents", { agent_key: `${mark}-agent`, display_name: mark, provider: "", model: "" })
    if (client.role !== "admin") return
    await makeTeam(client, mark)
    // Of somebody who never spends: what attackers spend themselves changes no row of it.
    equal((await client.post("/v1/budgets", { scope: "user", subject: mark, period: "month", limit_tokens: 1_000_000 })).status, 201)
  }

  /** A team needs agents that there are, and its tasks the team. */
  async function makeTeam(client: TestClient, mark: string): Promise<void> {
    const socket = await client.rpc()
    const { team } = await socket.call("teams.create", { name: mark, lead: `${mark}-agent`, members: ["default"] })
    const { task } = await socket.call("teams.tasks.create", { teamId: team.id, subject: mark })
    await socket.call("teams.tasks.comment", { teamId: team.id, taskId: task.id, content: mark })
    socket.close()
  }

  /** One that goes on while others look for it: its events are stored, and its session is busy. */
  async function beginRun(client: TestClient, mark: string): Promise<void> {
    const socket = await client.rpc()
    void socket.request("chat.send", { sessionKey: `agent:default:ws:direct:${mark}`, message: `/tool hold {"mark":"${mark}"}`, stream: true })
    const { payload } = await socket.next("agent", ({ type }) => type === "tool.call")
    const stored = async () => (await gateway.executeSql("SELECT 1 FROM chat.run_events WHERE run_id = $1 AND events::text LIKE $2", [payload.runId, `%${mark}%`])).rows.length
    while ((await stored()) === 0) await new Promise((resolve) => setTimeout(resolve, 50))
  }

  async function send(client: TestClient, decl: RouteDecl, fill: Fill, query = "", whole = false): Promise<Told> {
    const { method, path, body } = requestTo(decl, fill, whole)
    const init = { method, ...(body !== undefined && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }), signal: AbortSignal.timeout(10_000) }
    const response = await client.fetch(path + query, init)
    return { good: response.ok, text: await response.text() }
  }

  async function call(socket: RpcClient, method: string, params: Record<string, unknown>): Promise<Told> {
    const late = new Promise<never>((_, reject) => setTimeout(reject, 10_000, new Error(`${method} did not answer`)).unref())
    // What waits is asked to wait for a moment.
    const waits = Object.hasOwn((methods().find((entry) => entry.method === method)?.decl.params as { properties?: object } | undefined)?.properties ?? {}, "timeout")
    const { ok: good, payload, error } = await Promise.race([socket.request(method, waits ? { timeout: 0.1, ...params } : params), late])
    return { good, text: JSON.stringify(good ? payload : error) }
  }

  /** An answer without the id that it was asked for: as it stands, as a model's text names an agent, or as the slug that a name becomes. */
  const without = (id: string, text: string) =>
    text
      .replaceAll(id, "…")
      .replaceAll(id.replace(/^(agent|goclaw):/, ""), "…")
      .replaceAll(id.toLowerCase().replace(/[^a-z0-9]+/g, "-"), "…")

  /** As like `id` as can be, and nobody's. */
  const nobodys = (id: string) => id.slice(0, -1) + (id.endsWith("0") ? "1" : "0")

  /** Every way to bring `id` into a route: in its path, in each text of its body, in each member of its query. */
  function* routeVariants(decl: RouteDecl, id: string): Generator<{ fill: Fill; query: string; name: string }> {
    const inPath = [...([decl.path].flat()[0] as string).matchAll(/[:*](\w+)/g)].map(([, name]) => name as string)
    const path: Fill = (name) => (inPath.includes(name) ? id : undefined)
    if (inPath.length > 0) yield { fill: path, query: "", name: "path" }
    for (const name of textsAskedBy(decl)) if (!inPath.includes(name)) yield { fill: (asked) => (asked === name ? id : path(asked, {})), query: "", name }
    for (const name of Object.keys(decl.query?.properties ?? {})) yield { fill: path, query: `?${name}=${encodeURIComponent(id)}`, name }
  }

  /** Asks for `id` and for one like it that nobody has, and compares. An answer may differ in its ids and times only. */
  async function compare(what: string, mark: string, ids: readonly [string, string], ask: (id: string) => Promise<Told>, alike: boolean, sent: readonly string[] = []) {
    const [told, unknown] = [await ask(ids[0]), await ask(ids[1])]
    const shown = [ids[0], ...sent].reduce((text, id) => text.replaceAll(id, ""), told.text)
    equal(shown.includes(mark), false, `${what} shows ${shown}`)
    ok(!told.good || unknown.good, `${what} succeeds for the id of another: ${told.text}`)
    if (alike && !told.good) equal(without(ids[0], told.text), without(ids[1], unknown.text), what)
  }

  /** Goes through all that is served as `client`; nothing of `mark` may be seen and nothing of the others' rows may change. */
  async function attack(client: TestClient, ids: readonly string[], mark: string, alike: boolean): Promise<void> {
    // The attacker's own rows may come and go.
    const others = async () => othersOf(gateway, await belongingsOf(gateway, theirs), client.userId)
    const before = await others()
    const unchanged = async (what: string) => {
      const now = await others()
      for (const [table, rows] of before) deepEqual(now.get(table), rows, `${what} changed ${table}`)
    }
    const socket = await client.rpc()
    // First all that asks for nothing in particular: later the attacker has rows of his own, under names that he has heard of.
    for (const { decl } of routes()) {
      const what = `${decl.method} ${[decl.path].flat()[0]}`
      equal((await send(client, decl, () => undefined)).text.includes(mark), false, what)
      await unchanged(what)
    }
    for (const { method, decl } of methods()) {
      const { text } = await call(
        socket,
        method,
        paramsOf(decl, () => undefined),
      )
      equal(text.includes(mark), false, method)
      await unchanged(method)
    }
    for (const { decl } of routes()) {
      const what = `${decl.method} ${[decl.path].flat()[0]}`
      for (const id of ids) {
        for (const { name } of routeVariants(decl, id)) {
          const variant = (wanted: string) => [...routeVariants(decl, wanted)].find((one) => one.name === name) as { fill: Fill; query: string }
          await compare(`${what} (${name}: ${id})`, mark, [id, nobodys(id)], (wanted) => send(client, decl, variant(wanted).fill, variant(wanted).query), alike)
        }
      }
      await unchanged(what)
    }
    // What he has written into settings of his own is shown to him again, by methods of the same kind.
    const sent = new Map<string, string[]>()
    for (const { method, decl } of methods()) {
      const kind = method.split(".")[0] as string
      const kept = sent.get(kind) ?? []
      sent.set(kind, kept)
      for (const id of ids) {
        for (const name of textsAskedBy(decl)) {
          const params = (wanted: string) => paramsOf(decl, (asked) => (asked === name ? wanted : undefined))
          const asks = (wanted: string) => call(socket, method, { ...params(wanted), ...(name.includes(".") ? {} : { [name]: wanted }) })
          await compare(`${method} (${name}: ${id})`, mark, [id, nobodys(id)], asks, alike, kept)
          kept.push(id, nobodys(id))
        }
      }
      await unchanged(method)
    }
    // What the attacker has sent himself comes back to him.
    const heard = [...ids, ...ids.map(nobodys)].reduce((text, id) => without(id, text), JSON.stringify(socket.events))
    equal(heard.includes(mark), false, heard)
    socket.close()
  }

  it("has something to hide: rows of agents, providers, sessions, messages, budgets and keys", async () => {
    const filled = [...(await belongingsOf(gateway, theirs))].filter(([, rows]) => rows.length > 0).map(([name]) => name)
    for (const plugin of ["agents.", "providers.", "sessions.", "chat.", "budgets.", "kernel.api_keys", "kernel.activity"])
      ok(
        filled.some((name) => name.startsWith(plugin)),
        `nothing in ${plugin}: ${filled}`,
      )
  })

  it("hides a tenant from an admin of another, who cannot tell its ids from invented ones", async () => {
    const ids = await identifiersOf(gateway, theirs, await gateway.tenant("ours"))
    ok(ids.length > 5, `${ids}`)
    await attack(await gateway.as("admin", "ours", "mallory"), ids, ofTenant, true)
  })

  it("hides what belongs to a user from another user of the same tenant", async () => {
    const ids = await identifiersOf(gateway, theirs, null, "victor")
    ok(ids.length > 0, `${ids}`)
    await attack(await gateway.as("operator", "theirs", "mallory"), ids, ofUser, false)
  })

  it("does not rest on filters that someone could forget: no plugin's SQL compares the tenant", () => {
    const root = join(import.meta.dirname, "..", "..")
    const filtering = globSync("plugins/**/*.ts", { cwd: root }).filter((file) => /\btenant_id\s*(=|<>|IN\b|IS\b)/i.test(readFileSync(join(root, file), "utf8")))
    deepEqual(filtering, [])
  })
})
