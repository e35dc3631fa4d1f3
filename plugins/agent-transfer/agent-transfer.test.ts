import { deepEqual, equal, match, ok } from "node:assert/strict"
import { gunzipSync, gzipSync } from "node:zlib"
import { type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { Header } from "tar"
import { unpack } from "./tarball.ts"

/** A tarball with these entries and no other, whatever they are. */
function tarballWith(entries: readonly { path: string; bytes?: string | Buffer; link?: string }[]): Buffer {
  const blocks = entries.flatMap(({ path, bytes = "", link }) => {
    const content = Buffer.from(bytes)
    const header = new Header({ path, size: content.length, mode: 0o644, type: link ? "SymbolicLink" : "File", ...(link && { linkpath: link }) })
    header.encode()
    return [header.block as Buffer, content, Buffer.alloc((512 - (content.length % 512)) % 512)]
  })
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1_024)]))
}

describe("transfer of agents", () => {
  let gateway: TestGateway
  let admin: TestClient
  let other: TestClient
  let original: Record<string, unknown>
  before(async () => {
    gateway = await testGateway({ config: { plugins: { "agent-transfer": { maxBytes: 100_000 } } } })
    admin = await gateway.as("admin", "acme", "anna")
    other = await gateway.as("admin", "globex", "gus")
    original = (
      await admin.post("/v1/agents", {
        agent_key: "keeper",
        display_name: "Keeper",
        agent_type: "predefined",
        system_prompt: "Keep lists.",
        other_config: { apiKey: "sk-secret", tone: "dry" },
        tools_config: { allow: ["a"], token: "t-secret" },
      })
    ).body
    const rpc = await admin.rpc()
    for (const [name, content] of Object.entries({ "SOUL.md": "Kind.", "AGENTS.md": "Ask first." })) await rpc.call("agents.files.set", { agentId: "keeper", name, content })
    await admin.put("/v1/agents/keeper/instances/vera/files/USER.md", { content: "Vera." })
    await admin.patch("/v1/agents/keeper/instances/vera/metadata", { city: "Huế" })
  })
  after(() => gateway.close())

  const formOf = (bytes: Uint8Array, fields: Record<string, string> = {}) => {
    const form = new FormData()
    form.append("file", new Blob([new Uint8Array(bytes)], { type: "application/gzip" }), "../../agent.tar.gz")
    for (const [name, value] of Object.entries(fields)) form.append(name, value)
    return form
  }
  async function upload(client: TestClient, path: string, body: FormData | string): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await client.fetch(path, { method: "POST", body, ...(typeof body === "string" && { headers: { "content-type": "application/json" } }) })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const archive = async (query = "sections=all") => Buffer.from(await (await admin.fetch(`/v1/agents/keeper/export?format=tar.gz&${query}`)).arrayBuffer())
  const filesIn = async (bytes: Uint8Array) => unpack(bytes, () => true, 1 << 20)
  /** Events of a stream: name and data. */
  async function eventsOf(response: Response): Promise<[string, Record<string, unknown>][]> {
    equal(response.headers.get("content-type"), "text/event-stream")
    const frames = (await response.text()).split("\n\n").filter((frame) => frame.startsWith("event: "))
    return frames.map((frame) => [/^event: (.*)$/m.exec(frame)?.[1] ?? "", JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? "null")])
  }

  it("counts first, with a number for everything that clients ask after", async () => {
    const { body } = await admin.get("/v1/agents/keeper/export/preview")
    deepEqual([body.context_files, body.user_profiles, body.user_overrides, body.user_context_files_users], [2, 1, 1, 1])
    for (const name of ["memory_global", "memory_per_user", "kg_entities", "kg_relations", "cron_jobs", "workspace_files", "episodic_summaries"])
      equal(typeof body[name], "number", name)
  })

  it("gives JSON where nothing else is asked for, with files and without secrets; more by name", async () => {
    const { body } = await admin.get("/v1/agents/keeper/export")
    deepEqual([body.version, body.format, body.agent.id, body.user_profiles], [1, "json", original.id, undefined])
    deepEqual(body.context_files, [
      { file_name: "AGENTS.md", content: "Ask first." },
      { file_name: "SOUL.md", content: "Kind." },
    ])
    ok(!JSON.stringify(body).includes("secret"))
    equal(body.agent.other_config.tone, "dry")
    deepEqual((await admin.get("/v1/agents/keeper/export?sections=user_profiles")).body.user_profiles, [{ user_id: "vera", metadata: { city: "Huế" } }])
    equal((await admin.get("/v1/agents/keeper/export?sections=config,everything")).status, 400)
  })

  it("gives a tarball with a manifest", async () => {
    const files = await filesIn(await archive())
    deepEqual([...files.keys()].filter((name) => /manifest|agent|context|user/.test(name)).sort(), [
      "agent.json",
      "context_files.jsonl",
      "manifest.json",
      "user_overrides.jsonl",
      "user_profiles.jsonl",
    ])
    const { exported_at, sections, ...about } = JSON.parse(String(files.get("manifest.json")))
    deepEqual(about, { version: 1, format: "tar.gz", exported_by: "anna", agent_key: "keeper", agent_id: original.id })
    match(exported_at, /Z$/)
    ok(sections.includes("user_overrides"))
    ok(![...files.values()].some((content) => content.includes("secret")))
  })

  it("makes the same agent in another tenant, of a tarball", async () => {
    const bytes = await archive()
    const looked = await upload(other, "/v1/agents/import/preview", formOf(bytes))
    deepEqual([looked.status, (looked.body.manifest as { agent_key: string }).agent_key, looked.body.context_files, looked.body.memory_docs], [200, "keeper", 2, 0])
    const { status, body } = await upload(other, "/v1/agents/import", formOf(bytes))
    deepEqual([status, body.agent_key, body.context_files, body.user_profiles, body.user_overrides, body.kg_entities, body.team_imported], [201, "keeper", 2, 1, 1, 0, false])
    const made = (await other.get("/v1/agents/keeper")).body
    deepEqual([made.system_prompt, made.display_name, made.owner_id, made.status, made.id === original.id], ["Keep lists.", "Keeper", "gus", "active", false])
    equal((await other.get("/v1/agents/keeper/instances/vera/files/USER.md")).body.content, "Vera.")
    equal((await (await other.rpc()).call("agents.files.get", { agentId: "keeper", name: "SOUL.md" })).file.content, "Kind.")
  })

  it("numbers a key that is taken, unless it was asked for", async () => {
    const bundle = JSON.stringify((await admin.get("/v1/agents/keeper/export")).body)
    equal((await upload(admin, "/v1/agents/import", bundle)).body.agent_key, "keeper-2")
    equal((await upload(admin, "/v1/agents/import", formOf(Buffer.from(bundle), { agent_key: "keeper" }))).status, 409)
    const { body } = await upload(admin, "/v1/agents/import", formOf(Buffer.from(bundle), { agent_key: "clerk", display_name: "Clerk" }))
    equal((await admin.get(`/v1/agents/${body.agent_id}`)).body.display_name, "Clerk")
  })

  it("adds to an agent that is there what is asked for", async () => {
    await admin.post("/v1/agents", { agent_key: "empty", agent_type: "predefined", system_prompt: "Mine." })
    const { status, body } = await upload(admin, "/v1/agents/empty/import?include=context_files", formOf(await archive()))
    deepEqual([status, body.agent_key, body.context_files, body.user_profiles], [200, "empty", 2, 0])
    equal((await admin.get("/v1/agents/empty")).body.system_prompt, "Mine.")
  })

  it("tells how far it is, and keeps the archive for whoever made it", async () => {
    const events = await eventsOf(await admin.fetch("/v1/agents/keeper/export?stream=true&sections=all"))
    ok(events.slice(0, -1).every(([name, data]) => name === "progress" && typeof data.phase === "string" && ["running", "done"].includes(String(data.status))))
    const [name, { download_url, file_name }] = events.at(-1) as [string, Record<string, string>]
    deepEqual([name, file_name], ["complete", "agent-keeper.tar.gz"])
    const fetched = await admin.fetch(download_url as string)
    deepEqual([fetched.status, fetched.headers.get("content-type")], [200, "application/gzip"])
    const bytes = Buffer.from(await fetched.arrayBuffer())
    const short = String(download_url).replace(/agents\/.*\/export/, "export")
    equal((await admin.fetch(short)).status, 200)
    for (const client of [gateway.as("admin", "acme", "vera"), gateway.as("admin", "globex", "anna")]) equal((await client.fetch(download_url as string)).status, 404)
    const imported = await eventsOf(await other.fetch("/v1/agents/import?stream=true", { method: "POST", body: formOf(bytes, { agent_key: "streamed" }) }))
    deepEqual([imported[0]?.[0], imported.at(-1)?.[0], imported.at(-1)?.[1].agent_key], ["progress", "complete", "streamed"])
    const refused = await eventsOf(await other.fetch("/v1/agents/import?stream=true", { method: "POST", body: formOf(bytes, { agent_key: "streamed" }) }))
    deepEqual([refused.at(-1)?.[0], refused.at(-1)?.[1].code], ["error", "ALREADY_EXISTS"])
  })

  describe("what other plugins keep of an agent", () => {
    const names = "sections=config,cron,heartbeat,config_permissions,links"
    before(async () => {
      const rpc = await admin.rpc()
      await admin.post("/v1/agents", { agent_key: "helper", agent_type: "predefined" })
      await other.post("/v1/agents", { agent_key: "helper", agent_type: "predefined" })
      const schedule = { kind: "cron", expr: "0 9 * * 1", tz: "Asia/Saigon" }
      await rpc.call("cron.create", { name: "weekly", agentId: "keeper", schedule, message: "List it.", deliver: true, deliverTo: "agent:keeper:main", deliverChannel: "ws" })
      await rpc.call("cron.create", { name: "others", agentId: "helper", schedule, message: "Help." })
      await rpc.call("heartbeat.set", {
        agentId: "keeper",
        intervalSec: 600,
        prompt: "Look.",
        activeHoursStart: "08:00",
        activeHoursEnd: "18:00",
        timezone: "Asia/Saigon",
        channel: "ws",
        chatId: "1",
      })
      await rpc.call("config.permissions.grant", { agentId: "keeper", scope: "agent", configType: "heartbeat", userId: "vera", permission: "deny", metadata: { why: "x" } })
      for (const targetAgent of ["helper", "empty"]) await rpc.call("agents.links.create", { sourceAgent: "keeper", targetAgent, maxConcurrent: 7, description: "For help." })
    })

    it("is counted and exported, without where answers go", async () => {
      const { body } = await admin.get("/v1/agents/keeper/export/preview")
      deepEqual([body.cron_jobs, body.heartbeats, body.config_permissions, body.links], [1, 1, 1, 2])
      const bundle = (await admin.get(`/v1/agents/keeper/export?${names}`)).body
      deepEqual(bundle.cron, [
        {
          name: "weekly",
          schedule: { kind: "cron", expr: "0 9 * * 1", tz: "Asia/Saigon" },
          message: "List it.",
          enabled: true,
          wake_heartbeat: false,
          stateless: true,
          delete_after_run: false,
        },
      ])
      deepEqual(bundle.config_permissions, [{ scope: "agent", config_type: "heartbeat", user_id: "vera", permission: "deny", metadata: { why: "x" } }])
      deepEqual([bundle.heartbeat.length, bundle.heartbeat[0].intervalSec, bundle.heartbeat[0].chatId], [1, 600, undefined])
      ok(bundle.links.some((link: Record<string, unknown>) => link.target_agent_key === "helper" && link.max_concurrent === 7))
    })

    it("comes out of an import: jobs as the importer's, links to the agents that are there", async () => {
      const { status, body } = await upload(other, "/v1/agents/import", formOf(await archive(names), { agent_key: "moved" }))
      deepEqual([status, body.cron_jobs, body.heartbeats, body.config_permissions, body.links], [201, 1, 1, 1, 1])
      const rpc = await other.rpc()
      const [job] = (await rpc.call("cron.list", {})).jobs
      deepEqual([job.name, job.agentId, job.userId, job.deliver, job.schedule.tz, job.state.nextRunAtMs > Date.now()], ["weekly", "moved", "gus", false, "Asia/Saigon", true])
      const { heartbeat } = await rpc.call("heartbeat.get", { agentId: "moved" })
      deepEqual([heartbeat.intervalSec, heartbeat.prompt, heartbeat.timezone, heartbeat.channel], [600, "Look.", "Asia/Saigon", undefined])
      deepEqual(
        (await rpc.call("agents.links.list", { agentId: "moved" })).links.map((link: Record<string, unknown>) => [link.target_agent_key, link.max_concurrent, link.description]),
        [["helper", 7, "For help."]],
      )
      const { permissions } = await rpc.call("config.permissions.list", { agentId: "moved" })
      deepEqual([permissions[0].userId, permissions[0].permission, permissions[0].grantedBy], ["vera", "deny", "gus"])
      const again = await upload(other, "/v1/agents/moved/import?include=links,heartbeat", formOf(await archive(names)))
      deepEqual([again.status, again.body.links, again.body.heartbeats, again.body.cron_jobs], [200, 0, 1, 0])
    })

    it("is not for an owner who is no admin, where it is not otherwise", async () => {
      await (await admin.rpc()).call("agents.update", { agentId: "keeper", owner_ids: ["otto"] })
      const { body } = await (await gateway.as("viewer", "acme", "otto")).get(`/v1/agents/keeper/export?${names}`)
      deepEqual([body.cron, body.config_permissions, body.heartbeat.length], [[], [], 1])
    })
  })

  const about = { path: "manifest.json", bytes: '{"version":1}' }
  const agent = { path: "agent.json", bytes: '{"display_name":"Evil"}' }
  const files = (...lines: unknown[]) => ({ path: "context_files.jsonl", bytes: lines.map((line) => JSON.stringify(line)).join("\n") })
  for (const [what, entries, status] of [
    ["no manifest", [agent], 400],
    ["a file that agents do not have", [about, agent, files({ file_name: "../../etc/passwd", content: "x" })], 400],
    ["an entry of another form", [about, agent, files({ file_name: "SOUL.md", content: 7 })], 400],
    ["a job without a schedule", [about, agent, { path: "cron.jsonl", bytes: '{"name":"x","message":"y"}' }], 400],
    ["a text that no database holds", [about, agent, files({ file_name: "SOUL.md", content: "a\0b" })], 400],
    [
      "a job whose name is none",
      [
        about,
        agent,
        {
          path: "cron.jsonl",
          bytes: JSON.stringify({
            name: "No Name",
            schedule: { kind: "every", everyMs: 60_000 },
            message: "y",
            enabled: true,
            wake_heartbeat: false,
            stateless: true,
            delete_after_run: false,
          }),
        },
      ],
      400,
    ],
    ["lines that are no JSON", [about, agent, { path: "context_files.jsonl", bytes: "{" }], 400],
    ["a field of another form", [about, { path: "agent.json", bytes: '{"display_name":"Evil","context_window":"x"}' }], 400],
    ["more than may be", [about, agent, { path: "filler", bytes: Buffer.alloc(200_000) }], 413],
  ] as const) {
    it(`refuses an archive with ${what}, and makes nothing of it`, async () => {
      equal((await upload(other, "/v1/agents/import", formOf(tarballWith(entries)))).status, status)
      equal((await other.get("/v1/agents")).body.agents.filter(({ display_name }: { display_name?: string }) => display_name === "Evil").length, 0)
    })
  }

  it("takes nothing from names that lead elsewhere, from links, or from what is no archive", async () => {
    const lure = [about, agent, { path: "../agent.json", bytes: '{"display_name":"Elsewhere"}' }, { path: "context_files.jsonl", link: "/etc/passwd" }]
    const { status, body } = await upload(other, "/v1/agents/import", formOf(tarballWith(lure)))
    deepEqual([status, body.context_files], [201, 0])
    equal((await other.get(`/v1/agents/${body.agent_id}`)).body.display_name, "Evil")
    for (const bytes of [Buffer.from("no"), Buffer.from("{}"), gzipSync("no"), gzipSync(gzipSync("no")), Buffer.alloc(0)])
      equal((await upload(other, "/v1/agents/import/preview", formOf(bytes))).status, 400)
    const form = new FormData()
    form.append("files", "/etc/passwd")
    form.append("file", "/etc/passwd")
    equal((await upload(other, "/v1/agents/import", form)).status, 400)
    const plain = await other.fetch("/v1/agents/import", { method: "POST", body: "x", headers: { "content-type": "text/plain" } })
    equal(plain.status, 415)
    ok(gunzipSync(await archive()).length > 0)
  })

  it("is for the agent's owner and admins, and audited", async () => {
    await (await admin.rpc()).call("agents.update", { agentId: "keeper", owner_ids: ["otto"] })
    await admin.post("/v1/agents/keeper/shares", { user_id: "vera" })
    for (const [role, tenant, user, status] of [
      ["viewer", "acme", "otto", 200],
      ["operator", "acme", "vera", 403],
      ["operator", "acme", "mallory", 404],
      ["admin", "hooli", "otto", 404],
    ] as const) {
      const client = await gateway.as(role, tenant, user)
      for (const path of ["export", "export/preview", "export?format=tar.gz", "export?stream=true"])
        equal((await client.fetch(`/v1/agents/keeper/${path}`)).status, status, `${role} ${user} ${path}`)
      equal((await upload(client, "/v1/agents/keeper/import", "{}")).status, role === "admin" ? 400 : 403)
    }
    const actions = (await admin.get("/v1/activity?action=agent.exported")).body.logs
    ok(actions.length > 0)
  })
})
