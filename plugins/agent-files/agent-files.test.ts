import { deepEqual, equal, match, ok } from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { agentFileNames, defineManifest, definePlugin, type Prompt } from "@plugboard/sdk"
import { openRpc, type RpcClient, type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

/** Keeps what the model is told. */
const told: Prompt[] = []
const listening = definePlugin(defineManifest({ id: "listening", version: "1.0.0", sdk: "^1.0.0", hooks: { "prompt.assembling": { phase: "shape" } } }), () => ({
  hooks: {
    "prompt.assembling": (prompt) => {
      told.push(prompt)
      return prompt
    },
  },
}))

describe("agent files", () => {
  let gateway: TestGateway
  let admin: TestClient
  let rpc: RpcClient
  before(async () => {
    gateway = await testGateway({ plugins: [listening] })
    admin = await gateway.as("admin", "acme", "anna")
    rpc = await admin.rpc()
  })
  after(() => gateway.close())

  /** An agent that everybody may use, with these files. */
  async function agentWith(key: string, type: "open" | "predefined", files: Record<string, string>): Promise<string> {
    const { id } = (await admin.post("/v1/agents", { agent_key: key, agent_type: type, system_prompt: "Be brief." })).body
    for (const user of ["vera", "victor"])
      await gateway.executeSql(
        "INSERT INTO agents.shares (id, tenant_id, agent_id, user_id, granted_by) SELECT gen_random_uuid(), tenant_id, id, $2, '' FROM agents.agents WHERE id = $1",
        [id, user],
      )
    for (const [name, content] of Object.entries(files)) await rpc.call("agents.files.set", { agentId: key, name, content })
    return id
  }
  const set = (agentId: string, name: string, content: string, propagate = false) => rpc.call("agents.files.set", { agentId, name, content, propagate })
  /** What the model is told before the user's message. */
  async function promptOf(agentId: string, user: string): Promise<string> {
    const socket = await (await gateway.as("operator", "acme", user)).rpc()
    await socket.call("chat.send", { agentId, message: "hello" })
    return (told.at(-1)?.sections ?? []).map(({ text }) => text).join("\n\n")
  }

  it("have fixed names; what is not there is missing", async () => {
    await agentWith("fresh", "predefined", {})
    const { agentId, files } = await rpc.call("agents.files.list", { agentId: "fresh" })
    deepEqual([agentId, files], ["fresh", agentFileNames.map((name) => ({ name, missing: true }))])
    deepEqual(await rpc.call("agents.files.get", { agentId: "fresh", name: "SOUL.md" }), { agentId: "fresh", file: { name: "SOUL.md", missing: true } })
    deepEqual(await set("fresh", "SOUL.md", "Câu"), { agentId: "fresh", file: { name: "SOUL.md", missing: false, size: 4, content: "Câu" }, propagated: 0 })
    const [, soul] = (await rpc.call("agents.files.list", { agentId: "fresh" })).files
    match(soul.updated_at, /Z$/)
    deepEqual({ ...soul, updated_at: "" }, { name: "SOUL.md", missing: false, size: 4, updated_at: "" })
    for (const name of ["soul.md", "../SOUL.md", "SOUL.md\0", "/etc/passwd"]) {
      for (const method of ["agents.files.get", "agents.files.set"])
        equal((await rpc.request(method, { agentId: "fresh", name, content: "x" })).error?.code, "INVALID_REQUEST", method + name)
    }
  })

  it("are of the default agent when none is named, and of the shape that today's command-line client reads", async () => {
    const cli = await openRpc(gateway.url)
    await cli.call("connect", { token: admin.key, user_id: "cli" })
    equal((await rpc.call("agents.files.set", { file_name: "AGENTS.md", content: "Hi" })).agentId, "default")
    deepEqual((await cli.call("agents.files.list", {})).length, agentFileNames.length)
    equal((await cli.call("agents.files.get", { agent_id: "default", file_name: "AGENTS.md" })).content, "Hi")
    cli.close()
    await set("default", "AGENTS.md", "")
  })

  it("stand in the prompt behind the agent's own text, in their order; HEARTBEAT.md does not, and a change counts at once", async () => {
    await agentWith("guide", "predefined", { "SOUL.md": "Kind.", "AGENTS.md": "Ask first.", "HEARTBEAT.md": "Look around.", "USER_PREDEFINED.md": "  " })
    equal(await promptOf("guide", "vera"), "Be brief.\n\n## AGENTS.md\n\nAsk first.\n\n## SOUL.md\n\nKind.")
    await set("guide", "SOUL.md", "Gruff.")
    equal(await promptOf("guide", "vera"), "Be brief.\n\n## AGENTS.md\n\nAsk first.\n\n## SOUL.md\n\nGruff.")
  })

  it("are the same for all users of a predefined agent but for USER.md, and BOOTSTRAP.md goes once that says something", async () => {
    await agentWith("shared", "predefined", { "SOUL.md": "Kind.", "BOOTSTRAP.md": "Ask for the name." })
    match(await promptOf("shared", "vera"), /Ask for the name/)
    const path = "/v1/agents/shared/instances/vera/files/USER.md"
    deepEqual((await admin.put(path, { content: "Vera, likes tea." })).body, { status: "updated" })
    equal(await promptOf("shared", "vera"), "Be brief.\n\n## SOUL.md\n\nKind.\n\n## USER.md\n\nVera, likes tea.")
    match(await promptOf("shared", "victor"), /Ask for the name/)
    equal((await admin.put("/v1/agents/shared/instances/vera/files/SOUL.md", { content: "Mean." })).status, 400)
    equal((await admin.get(path)).body.content, "Vera, likes tea.")
    equal((await admin.get("/v1/agents/shared/instances/victor/files/USER.md")).status, 404)
  })

  it("of an open agent are each user's own from the first time on; what is changed later reaches them when it is propagated", async () => {
    const id = await agentWith("personal", "open", { "SOUL.md": "First." })
    match(await promptOf("personal", "vera"), /First/)
    equal((await set("personal", "SOUL.md", "Second.")).propagated, 0)
    match(await promptOf("personal", "vera"), /First/)
    match(await promptOf("personal", "victor"), /Second/)
    deepEqual((await admin.get("/v1/agents/personal/instances/vera/files")).body.files, [{ agent_id: id, user_id: "vera", file_name: "SOUL.md", content: "First." }])
    equal((await set("personal", "SOUL.md", "Third.", true)).propagated, 2)
    for (const user of ["vera", "victor"]) match(await promptOf("personal", user), /Third/)
  })

  it("cost a turn no statement once they are known", async () => {
    await agentWith("busy", "open", { "SOUL.md": "Kind.", "USER.md": "Nobody yet." })
    const socket = await (await gateway.as("operator", "acme", "vera")).rpc()
    let least = 100
    for (let round = 0; round < 30 && least > 2; round += 1) {
      const before = gateway.statements.count
      await socket.call("chat.send", { agentId: "busy", message: "hello" })
      least = Math.min(least, gateway.statements.count - before)
    }
    equal(least, 2)
  })

  it("are cut in a prompt, and the prompt says so", async () => {
    await agentWith("long", "predefined", { "SOUL.md": `${"x".repeat(20_000)}END`, "AGENTS.md": "y".repeat(200_000) })
    const prompt = await promptOf("long", "vera")
    ok(prompt.length < 41_000 && !prompt.includes("END"))
    match(prompt, /\[SOUL\.md is longer; the rest was cut\.\]/)
  })

  it("name the agent: IDENTITY.md first, then its columns; and a new display name goes into the file", async () => {
    await agentWith("named", "predefined", { "IDENTITY.md": "# Who I am\n- **Name:** Ida\n- Emoji: 🦊\n- Avatar: (none yet)\n" })
    const identity = () => rpc.call("agent.identity.get", { agentId: "named" })
    deepEqual(await identity(), { agentId: "named", name: "Ida", emoji: "🦊" })
    await admin.put("/v1/agents/named", { display_name: "Iris", agent_description: "Keeps lists" })
    deepEqual(await identity(), { agentId: "named", name: "Iris", emoji: "🦊", description: "Keeps lists" })
    match((await rpc.call("agents.files.get", { agentId: "named", name: "IDENTITY.md" })).file.content, /- \*\*Name:\*\* Iris\n/)
  })

  it("of users are listed with when they were there, and metadata in either form", async () => {
    await agentWith("met", "predefined", {})
    await promptOf("met", "vera")
    const user = "tg:12/3@home"
    const path = `/v1/agents/met/instances/${encodeURIComponent(user)}`
    deepEqual((await admin.patch(`${path}/metadata`, { metadata: { city: "Huế" } })).body, { status: "updated" })
    deepEqual((await admin.patch(`${path}/metadata`, { team: "red" })).body, { status: "updated" })
    for (const bad of [{}, { metadata: {} }, { city: 1 }]) equal((await admin.patch(`${path}/metadata`, bad)).status, 400)
    await admin.put(`${path}/files/USER.md`, { content: "On Telegram." })
    const { instances, payload } = (await admin.get("/v1/agents/met/instances")).body
    deepEqual(payload, instances)
    const [tg, vera] = instances
    deepEqual(tg, { user_id: user, file_count: 1, metadata: { city: "Huế", team: "red" } })
    deepEqual([vera.user_id, vera.file_count, typeof vera.first_seen_at, typeof vera.last_seen_at], ["vera", 0, "string", "string"])
  })

  it("are audited, and go with their agent", async () => {
    const id = await agentWith("gone", "open", { "SOUL.md": "Kind." })
    await promptOf("gone", "vera")
    await admin.put("/v1/agents/gone/instances/vera/files/USER.md", { content: "x" })
    await admin.delete("/v1/agents/gone")
    for (const table of ["files", "instances", "instance_files"]) equal((await gateway.executeSql(`SELECT 1 FROM agent_files.${table} WHERE agent_id = $1`, [id])).rows.length, 0)
    const actions = (await admin.get(`/v1/activity?entity_id=${id}`)).body.logs.map(({ action }: { action: string }) => action)
    deepEqual(actions, ["agent.deleted", "agent_instance.file_set", "agent.file_set", "agent.created"])
  })

  it("can be written by no plugin that offers tools: what a model was told to write would be who the agent is from then on", () => {
    const folder = join(import.meta.dirname, "..")
    const textOf = (plugin: string) => readdirSync(join(folder, plugin)).flatMap((file) => (/(?<!\.test)\.ts$/.test(file) ? readFileSync(join(folder, plugin, file), "utf8") : []))
    const writers = readdirSync(folder).filter((plugin) => textOf(plugin).some((text) => text.includes("AgentFileStore")))
    ok(writers.includes("agent-files"))
    ok(!writers.some((plugin) => textOf(plugin).some((text) => /\bTools\b/.test(text))))
  })

  // Two users and two tenants in four roles: otto owns the agent, vera may use it, mallory may not; globex is another tenant.
  const owner = ["viewer:acme:otto", "operator:acme:otto", "admin:acme:anna", "owner:acme:system"]
  const user = ["viewer:acme:vera", "operator:acme:vera"]
  const nobody = ["viewer:acme:mallory", "operator:acme:mallory", "admin:globex:otto", "operator:globex:vera"]
  const user1 = "/v1/agents/matrix/instances/vera"
  for (const [what, least, ask, forUser] of [
    ["agents.files.list", "viewer", (as: TestClient) => as.rpc().then((socket) => socket.request("agents.files.list", { agentId: "matrix" })), 200],
    ["agents.files.get", "viewer", (as: TestClient) => as.rpc().then((socket) => socket.request("agents.files.get", { agentId: "matrix", name: "SOUL.md" })), 200],
    ["agents.files.set", "operator", (as: TestClient) => as.rpc().then((socket) => socket.request("agents.files.set", { agentId: "matrix", name: "SOUL.md", content: "x" })), 403],
    ["instances", "viewer", (as: TestClient) => as.get("/v1/agents/matrix/instances"), 403],
    ["a user's files", "viewer", (as: TestClient) => as.get(`${user1}/files`), 403],
    ["a user's file", "viewer", (as: TestClient) => as.get(`${user1}/files/USER.md`), 403],
    ["writing a user's file", "operator", (as: TestClient) => as.put(`${user1}/files/USER.md`, { content: "y" }), 403],
    ["a user's metadata", "operator", (as: TestClient) => as.patch(`${user1}/metadata`, { a: "b" }), 403],
  ] as const) {
    it(`of another are refused: ${what}`, async () => {
      if ((await admin.get("/v1/agents/matrix")).status === 404) {
        await agentWith("matrix", "predefined", { "SOUL.md": "Kind." })
        await rpc.call("agents.update", { agentId: "matrix", owner_ids: ["otto"] })
        await admin.put(`${user1}/files/USER.md`, { content: "y" })
      }
      const got = async (who: string) => {
        const [role, tenant, name] = who.split(":") as ["viewer", string, string]
        const answer = await ask(await gateway.as(role, tenant, name))
        if ("status" in answer) return answer.status
        return answer.ok ? 200 : { UNAUTHORIZED: 403, NOT_FOUND: 404 }[answer.error?.code as string]
      }
      const expected = (who: string, status: number) => (least === "operator" && who.startsWith("viewer") ? 403 : status)
      for (const who of owner) equal(await got(who), expected(who, 200), who)
      for (const who of user) equal(await got(who), expected(who, forUser), who)
      for (const who of nobody) equal(await got(who), expected(who, 404), who)
    })
  }
})
