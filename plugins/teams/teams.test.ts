import { deepEqual, equal, match, ok } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { defineManifest, definePlugin } from "@plugboard/sdk"
import { openRpc, type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the gateway answered, and fails by itself when it is something else.
type Json = Record<string, any>
const agents = ["lead", "writer", "editor", "outsider"]

const told = new Map<string, string>()
const offered = new Map<string, string[]>()
/** Notes what each agent is told of teams, and which of their tools it is offered. */
const watching = definePlugin(
  defineManifest({ id: "watching", version: "1.0.0", sdk: "^1.0.0", hooks: { "prompt.assembling": { phase: "shape" }, "tools.resolving": { phase: "guard" } } }),
  () => ({
    hooks: {
      "prompt.assembling": (prompt) => {
        told.set(prompt.agentKey, prompt.sections.find(({ key }) => key === "teams")?.text ?? "")
        return prompt
      },
      "tools.resolving": (value) => {
        offered.set(
          value.agentKey,
          value.tools.map(({ name }) => name).filter((name) => name.startsWith("team_")),
        )
        return value
      },
    },
  }),
)

describe("teams", function () {
  this.timeout(30_000)
  let gateway: TestGateway
  let admin: RpcClient
  before(async () => {
    gateway = await testGateway({ plugins: [watching], config: { plugins: { teams: { maxHops: 1 } } } })
    admin = await room("acme")
  })
  after(() => gateway.close())

  /** A tenant of its own, with these agents, and its admin's socket. */
  async function room(tenant: string): Promise<RpcClient> {
    const client = await gateway.as("admin", tenant, "anna")
    for (const agent_key of agents) await client.post("/v1/agents", { agent_key, agent_type: "predefined", display_name: agent_key.toUpperCase(), provider: "", model: "" })
    return client.rpc()
  }
  const code = async (client: RpcClient, method: string, params: object) => (await client.request(method, params as Json)).error?.code
  const newTeam = async (more: object = {}): Promise<string> => (await admin.call("teams.create", { name: "news", lead: "lead", members: ["writer", "editor"], ...more })).team.id
  const newTask = async (teamId: string, subject: string, more: object = {}): Promise<Json> => (await admin.call("teams.tasks.create", { teamId, subject, ...more })).task
  const task = async (teamId: string, taskId: string): Promise<Json> => (await admin.call("teams.tasks.get-light", { teamId, taskId })).task
  const heard = (event: string, taskId: string, client = admin) => client.next(`team.task.${event}`, (payload) => payload.task_id === taskId)
  const session = (agent: string) => `agent:${agent}:ws:direct:${randomUUID()}`
  const use = async (agent: string, args: object, sessionKey = session(agent), tool = "team_tasks"): Promise<string> =>
    (await admin.call("chat.send", { agentId: agent, sessionKey, message: `/tool ${tool} ${JSON.stringify(args)}` })).content

  it("makes, changes and removes a team, with links from its lead to its members", async () => {
    const { team } = await admin.call("teams.create", {
      name: "desk",
      lead: "lead",
      members: ["writer"],
      settings: { workspace_quota_mb: 1, nonsense: true, notifications: { failed: true, odd: 1 } },
    })
    const { id, created_at, updated_at, lead_agent_id, ...facts } = team
    deepEqual(facts, {
      name: "desk",
      status: "active",
      settings: { workspace_quota_mb: 1, notifications: { failed: true } },
      created_by: "anna",
      member_count: 2,
      lead_agent_key: "lead",
      lead_display_name: "LEAD",
    })
    const links = async () => (await admin.call("agents.links.list", {})).links.filter((link: Json) => link.team_id === id)
    deepEqual(
      (await links()).map((link: Json) => [link.source_agent_key, link.target_agent_key, link.team_name]),
      [["lead", "writer", "desk"]],
    )
    await admin.call("teams.members.add", { teamId: id, agent: "editor", role: "reviewer" })
    await admin.call("teams.update", { teamId: id, name: "newsdesk" })
    const got = await admin.call("teams.get", { id })
    deepEqual(
      [got.team.name, got.members.map((member: Json) => [member.agent_key, member.role])],
      [
        "newsdesk",
        [
          ["lead", "lead"],
          ["writer", "member"],
          ["editor", "reviewer"],
        ],
      ],
    )
    equal(await code(admin, "teams.members.add", { teamId: id, agent: "editor" }), "ALREADY_EXISTS")
    equal(await code(admin, "teams.members.remove", { teamId: id, agentId: "lead" }), "INVALID_REQUEST")
    await admin.call("teams.members.remove", { teamId: id, agentId: "editor" })
    await admin.call("teams.delete", { teamId: id })
    deepEqual([await links(), await code(admin, "teams.get", { teamId: id })], [[], "NOT_FOUND"])
    const { rows } = await gateway.executeSql("SELECT action FROM kernel.activity WHERE entity_id = $1 ORDER BY created_at", [id])
    deepEqual(
      rows.map(({ action }) => action),
      ["team.created", "team.member_added", "team.updated", "team.member_removed", "team.deleted"],
    )
  })

  it("has a member work on a task that is assigned, and keeps the answer as its result", async () => {
    const teamId = await newTeam()
    const made = await newTask(teamId, "/say the draft", { assignTo: "writer" })
    deepEqual([made.status, made.task_number, made.owner_agent_key, made.channel, made.chat_id], ["in_progress", 1, "writer", "dashboard", teamId])
    const { payload: run } = await admin.next("agent", (event) => event.type === "run.started" && event.teamTaskId === made.id)
    deepEqual([run.runKind, run.teamId, run.parentAgentId, run.sessionKey], ["delegation", teamId, "lead", `agent:writer:team:${teamId}:${made.id}`])
    const { payload } = await heard("completed", made.id)
    deepEqual([payload.status, payload.owner_agent_key, payload.actor_type], ["completed", "writer", "agent"])
    equal((await task(teamId, made.id)).result, "the draft")
    const { events } = await admin.call("teams.tasks.events", { teamId, taskId: made.id })
    deepEqual(
      events.map((event: Json) => event.event_type),
      ["created", "assigned", "dispatched", "completed"],
    )
  })

  it("says why a task has failed, and lets it be assigned again", async () => {
    const teamId = await newTeam()
    const made = await newTask(teamId, "/fail auth", { assignTo: "writer" })
    await heard("failed", made.id)
    const failed = await task(teamId, made.id)
    ok(failed.status === "failed" && failed.result.length > 0)
    await admin.call("teams.tasks.assign", { teamId, taskId: made.id, agentId: "editor" })
    await admin.next("team.task.failed", (payload) => payload.task_id === made.id && payload.owner_agent_key === "editor")
    equal(await code(admin, "teams.tasks.assign", { teamId, taskId: made.id, agentId: "outsider" }), "INVALID_REQUEST")
  })

  it("begins a blocked task when the last of its blockers is completed, and hands their results on", async () => {
    const teamId = await newTeam()
    const [one, two] = [await newTask(teamId, "/say one"), await newTask(teamId, "/say two")]
    const last = await newTask(teamId, "/say both", { assignTo: "editor", blockedBy: [one.id, two.id] })
    equal(last.status, "blocked")
    await Promise.all([one, two].map(({ id: taskId }) => admin.call("teams.tasks.claim", { teamId, taskId, agentId: "writer" })))
    await heard("completed", last.id)
    match((await task(teamId, last.id)).result, /both[\s\S]*#1[\s\S]*one[\s\S]*#2[\s\S]*two/)
  })

  it("refuses a circle of tasks that wait for each other", async () => {
    const teamId = await newTeam()
    await newTask(teamId, "first")
    await newTask(teamId, "second", { blockedBy: ["1"] })
    await newTask(teamId, "third", { blockedBy: ["2"] })
    match(await use("lead", { action: "block", task: "1", blocked_by: ["3"], team: teamId }), /#1 cannot wait/)
  })

  it("gives a task to one of several who claim it at once", async () => {
    const teamId = await newTeam()
    const { id: taskId } = await newTask(teamId, "/slow 3 50")
    const answers = await Promise.all(["lead", "writer", "editor", "lead", "writer"].map((agentId) => code(admin, "teams.tasks.claim", { teamId, taskId, agentId })))
    deepEqual(answers.sort(), [...Array(4).fill("FAILED_PRECONDITION"), undefined])
  })

  it("has a result reviewed where the team has a reviewer", async () => {
    const teamId = await newTeam({ members: ["writer"] })
    await admin.call("teams.members.add", { teamId, agent: "editor", role: "reviewer" })
    const [good, bad] = await Promise.all(["/say good", "/say bad"].map((subject) => newTask(teamId, subject, { assignTo: "writer" })))
    await Promise.all([good, bad].map((made) => heard("reviewed", made?.id)))
    deepEqual((await admin.call("teams.tasks.list", { teamId, status: "in_review" })).count, 2)
    await admin.call("teams.tasks.approve", { teamId, taskId: good?.id, comment: "well done" })
    await admin.call("teams.tasks.reject", { teamId, taskId: bad?.id, reason: "not so" })
    const { task: approved, comments } = await admin.call("teams.tasks.get", { teamId, taskId: good?.id })
    deepEqual([approved.status, approved.result, approved.comment_count, comments[0].content], ["completed", "good", 1, "well done"])
    const rejected = await task(teamId, bad?.id)
    deepEqual([rejected.status, rejected.result], ["cancelled", "not so"])
    equal(await code(admin, "teams.tasks.approve", { teamId, taskId: bad?.id }), "FAILED_PRECONDITION")
  })

  it("removes tasks that have ended, and no others", async () => {
    const teamId = await newTeam()
    const [done, open] = [await newTask(teamId, "/say x", { assignTo: "writer" }), await newTask(teamId, "open")]
    await heard("completed", done.id)
    equal(await code(admin, "teams.tasks.delete", { teamId, taskId: open.id }), "FAILED_PRECONDITION")
    deepEqual(await admin.call("teams.tasks.delete-bulk", { teamId, taskIds: [done.id, open.id, randomUUID()] }), { deleted: 1 })
  })

  it("tells an agent in its conversation what became of the tasks that it made, and the chat page which are active", async () => {
    const teamId = await newTeam()
    const sessionKey = session("lead")
    const made = await use("lead", { action: "create", subject: "/slow 3 30", assignee: "writer", team: teamId }, sessionKey)
    match(made, /Made: #1 in_progress writer/)
    const { tasks } = await admin.call("teams.tasks.active-by-session", { sessionKey })
    deepEqual(
      tasks.map((active: Json) => [active.taskNumber, active.status, active.ownerAgentKey, active.commentCount]),
      [[1, "in_progress", "writer", 0]],
    )
    const answer = await admin.next("agent", (event) => event.type === "run.completed" && event.sessionKey === sessionKey && /Team task #1/.test(event.payload.content))
    match(answer.payload.payload.content, /word0|completed/)
    deepEqual(await admin.call("teams.tasks.active-by-session", { sessionKey }), { tasks: [] })
  })

  it("has what a member hands on for a task stand with the task", async () => {
    const teamId = await newTeam()
    await admin.call("agents.links.create", { sourceAgent: "writer", targetAgent: "outsider" })
    const { id } = await newTask(teamId, `/tool delegate ${JSON.stringify({ agent: "outsider", task: "/say helped" })}`, { assignTo: "writer" })
    await heard("completed", id)
    const { records } = await admin.call("delegations.list", { agentId: "outsider" })
    deepEqual([records[0].team_id, records[0].team_task_id], [teamId, id])
  })

  it("ends a row of tasks that make tasks, without a word of the user's", async () => {
    const teamId = await newTeam()
    const create = (subject: string, assignee: string) => `/tool team_tasks ${JSON.stringify({ action: "create", team: teamId, subject, assignee })}`
    const first = await newTask(teamId, create(create("/say never", "writer"), "editor"), { assignTo: "writer" })
    await admin.next("team.task.completed", (payload) => payload.team_id === teamId && payload.task_number === 2)
    const second = await task(teamId, "2")
    deepEqual([second.parent_id, (await admin.call("teams.tasks.list", { teamId })).count], [first.id, 2])
    match(second.result, /After 1 tasks in a row/)
  })

  it("lets an agent claim, report and complete by its tool, and nobody else for it", async () => {
    const teamId = await newTeam()
    const { id } = await newTask(teamId, "by hand")
    const by = (agent: string, args: object) => use(agent, { task: "1", team: teamId, ...args })
    await by("writer", { action: "claim" })
    match(await by("editor", { action: "claim" }), /taken by writer/)
    match(await by("editor", { action: "complete", result: "no" }), /not yours/)
    await by("writer", { action: "progress", percent: 40, step: "half way" })
    deepEqual([(await task(teamId, id)).progress_percent, (await task(teamId, id)).progress_step], [40, "half way"])
    await by("writer", { action: "comment", text: "soon" })
    match(await by("writer", { action: "complete", result: "here it is" }), /#1 completed/)
    deepEqual([(await task(teamId, id)).result, (await task(teamId, id)).comment_count], ["here it is", 1])
    match(await by("writer", { action: "cancel" }), /Only the team's lead/)
  })

  it("keeps files of a team within its quota and their names within it", async () => {
    const teamId = await newTeam({ settings: { workspace_quota_mb: 1 } })
    const files = (args: object) => use("writer", { team: teamId, ...args }, undefined, "team_workspace")
    await files({ action: "write", name: "notes/plan.md", content: "the plan" })
    const { file, content } = await admin.call("teams.workspace.read", { team_id: teamId, path: "notes/plan.md" })
    deepEqual([file.name, file.size, content], ["notes/plan.md", 8, "the plan"])
    await newTask(teamId, "with a file")
    await use("writer", { team: teamId, action: "attach", task: "1", file: "notes/plan.md" })
    const { attachments, task: attached } = await admin.call("teams.tasks.get", { teamId, taskId: "1" })
    deepEqual([attachments[0].path, attachments[0].base_name, attached.attachment_count], ["notes/plan.md", "plan.md", 1])
    await gateway.executeSql("UPDATE teams.files SET size = 1048570 WHERE team_id = $1", [teamId])
    match(await files({ action: "write", name: "more", content: "a few words too many" }), /1 MB/)
    for (const file_name of ["../x", "a\\b"]) equal(await code(admin, "teams.workspace.read", { team_id: teamId, file_name }), "INVALID_REQUEST")
    deepEqual(await admin.call("teams.workspace.delete", { team_id: teamId, file_name: "notes/plan.md" }), { deleted: "notes/plan.md" })
    deepEqual(await admin.call("teams.workspace.list", { team_id: teamId }), { files: [], count: 0 })
  })

  it("shows a team to those whom its settings let in, and to nobody of another tenant", async () => {
    const teamId = await newTeam({ settings: { allow_user_ids: ["bob"] } })
    const sees = async (tenant: string, user: string, role: "viewer" | "admin") => code(await gateway.as(role, tenant, user).rpc(), "teams.get", { teamId })
    deepEqual([await sees("acme", "bob", "viewer"), await sees("acme", "eve", "viewer"), await sees("globex", "anna", "admin")], [undefined, "NOT_FOUND", "NOT_FOUND"])
  })

  it("archives a team whose lead is removed", async () => {
    const rpc = await room("archive")
    const { team } = await rpc.call("teams.create", { name: "left", agent_ids: ["lead", "writer"] })
    const http = await gateway.as("admin", "archive", "anna")
    await http.delete(`/v1/agents/${team.lead_agent_id}`)
    equal((await rpc.call("teams.get", { teamId: team.id })).team.status, "archived")
    equal(await code(rpc, "teams.tasks.create", { teamId: team.id, subject: "late" }), "FAILED_PRECONDITION")
  })

  it("answers today's command-line client in its own shapes", async () => {
    const teamId = await newTeam({ name: "cli" })
    const cli = await openRpc(gateway.url)
    await cli.call("connect", { token: (await gateway.as("admin", "acme", "cli")).key, user_id: "cli" })
    const made = await cli.call("teams.tasks.create", { id: teamId, title: "/say x", assignee_id: "writer" })
    deepEqual([made.title, made.assignee_id, made.task.id], ["/say x", "writer", made.id])
    await heard("completed", made.id)
    deepEqual(
      (await cli.call("teams.tasks.list", { team_id: teamId, status: "approved" })).map((found: Json) => found.title),
      ["/say x"],
    )
    equal((await cli.call("teams.list")).find((team: Json) => team.id === teamId).task_count, 1)
    deepEqual(
      [await cli.call("teams.known_users", { id: teamId }), await cli.call("teams.scopes", { id: teamId })],
      [[{ user_id: "cli" }], [{ channel: "dashboard", chat_id: teamId }]],
    )
    equal((await cli.call("teams.events.list", { id: teamId }))[0].event_type, "completed")
    cli.close()
  })

  it("adds its section and its tools for members alone", async () => {
    const rpc = await room("seen")
    await rpc.call("teams.create", { name: "prompted", lead: "lead", members: ["writer"] })
    for (const agentId of ["writer", "outsider"]) await rpc.call("chat.send", { agentId, sessionKey: session(agentId), message: "hello" })
    match(told.get("writer") ?? "", /a member of the team "prompted"[\s\S]*- lead \(lead\)[\s\S]*No open tasks/)
    deepEqual([offered.get("writer"), offered.get("outsider"), told.get("outsider")], [["team_tasks", "team_workspace"], [], ""])
  })

  it("ends what was lost with a gateway: as failed what an agent was at, as stale what one had claimed", async () => {
    const teamId = await newTeam()
    const [held, claimed] = [await newTask(teamId, "/say x", { assignTo: "writer" }), await newTask(teamId, "claimed")]
    await heard("completed", held.id)
    await use("editor", { action: "claim", task: "2", team: teamId })
    await gateway.executeSql("UPDATE teams.tasks SET status = 'in_progress', locked_at = now(), lock_expires_at = now() - interval '1 second' WHERE team_id = $1", [teamId])
    await gateway.close({ keep: true })
    gateway = await testGateway({ on: gateway.storage })
    admin = await gateway.as("admin", "acme", "anna").rpc()
    deepEqual([(await task(teamId, held.id)).status, (await task(teamId, claimed.id)).status], ["failed", "stale"])
  })
})
