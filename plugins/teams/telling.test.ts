import { deepEqual, equal, match } from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type RpcClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"

// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the gateway answered, and fails by itself when it is something else.
type Json = Record<string, any>

describe("who is told of a team's tasks", function () {
  this.timeout(30_000)
  let gateway: TestGateway
  let admin: RpcClient
  before(async () => {
    gateway = await testGateway()
    const http = await gateway.as("admin", "acme", "anna")
    for (const agent_key of ["lead", "writer"]) await http.post("/v1/agents", { agent_key, agent_type: "predefined", provider: "", model: "" })
    admin = await http.rpc()
  })
  after(() => gateway.close())

  const newTeam = async (settings: object): Promise<string> => (await admin.call("teams.create", { name: "desk", lead: "lead", members: ["writer"], settings })).team.id
  const session = () => `agent:lead:ws:direct:${randomUUID()}`
  const use = async (agent: string, teamId: string, args: object, sessionKey = session()): Promise<string> =>
    (await admin.call("chat.send", { agentId: agent, sessionKey, message: `/tool team_tasks ${JSON.stringify({ team: teamId, ...args })}` })).content
  const said = async (sessionKey: string): Promise<string[]> => (await admin.call("chat.history", { sessionKey })).messages.map(({ content }: Json) => content)
  const until = async <T>(look: () => Promise<T | undefined | false>): Promise<T> => {
    for (;;) {
      const found = await look()
      if (found) return found
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const line = (sessionKey: string, wanted: RegExp) => until(async () => (await said(sessionKey)).find((content) => wanted.test(content)))
  /** Whether a viewer hears of a task that an admin makes, and of the team's change. */
  const hears = async (user: string, settings: object): Promise<string[]> => {
    const viewer = await (await gateway.as("viewer", "acme", user)).rpc()
    const teamId = await newTeam(settings)
    await admin.call("teams.tasks.create", { teamId, subject: "/say x" })
    await admin.call("teams.update", { teamId, name: "news" })
    // An own event behind them: what has not come before it does not come.
    const mark = randomUUID()
    await admin.call("teams.create", { name: mark, lead: "lead", members: ["writer"], settings: { allow_user_ids: [user] } })
    await viewer.next("team.created", (payload) => payload.team_name === mark)
    const names = viewer.events.filter(({ payload }) => (payload as Json)?.team_id === teamId).map(({ event }) => event)
    viewer.close()
    return names.sort()
  }
  const all = ["team.created", "team.task.created", "team.updated"]

  it("is everybody whom the team's settings let in", async () => {
    deepEqual([await hears("bob", { allow_user_ids: ["bob", "carol"] }), await hears("eve", { allow_user_ids: ["bob"] })], [all, []])
  })

  // The embedded database has one gateway.
  if (process.env.TEST_DATABASE_URL) {
    it("is everybody whom the team's settings let in, on whichever node", async () => {
      const dataDir = mkdtempSync(join(tmpdir(), "plugboard-node-"))
      const other = await testGateway({ on: gateway.storage, token: gateway.token, env: { PLUGBOARD_DATA_DIR: dataDir } })
      const viewer = await (await other.as("viewer", "acme", "bob")).rpc()
      const teamId = await newTeam({ allow_user_ids: ["bob"] })
      equal((await viewer.next("team.created", ({ team_id }) => team_id === teamId)).payload.team_name, "desk")
      await other.close({ keep: true })
      rmSync(dataDir, { recursive: true, force: true })
    })
  }

  it("is everybody who may use the lead, where the settings name nobody", async () => {
    await (await gateway.as("admin", "acme", "anna")).post("/v1/agents/lead/shares", { user_id: "dora" })
    deepEqual([await hears("dora", {}), await hears("eve", {}), await hears("dora", { deny_user_ids: ["dora"] })], [all, [], []])
    await (await gateway.as("admin", "acme", "anna")).put("/v1/agents/lead", { is_default: true })
    deepEqual([await hears("eve", {}), await hears("eve", { deny_user_ids: ["eve"] })], [all, []])
  })

  it("is the conversation in which the task was made, in lines, for what the settings name", async () => {
    const teamId = await newTeam({ progress_notifications: true, notifications: { dispatched: true, commented: true, new_task: true, mode: "direct" } })
    const sessionKey = session()
    await use("lead", teamId, { action: "create", subject: "/slow 3 100", assignee: "writer" }, sessionKey)
    await admin.call("teams.tasks.comment", { teamId, taskId: "1", content: "soon" })
    await line(sessionKey, /^\[Team task #1, \/slow 3 100: completed\]\n\nword0/)
    for (const wanted of [/: new\]/, /: begun by writer\]/, /: comment\]\n\nsoon/]) await line(sessionKey, wanted)
    equal((await admin.call("sessions.preview", { key: sessionKey })).messages.filter(({ role }: Json) => role === "user").length, 1)
    await use("writer", teamId, { action: "create", subject: "by hand" }, sessionKey.replace("lead", "writer"))
    await use("writer", teamId, { action: "claim", task: "2" })
    await use("writer", teamId, { action: "progress", task: "2", percent: 40, step: "half way" })
    await line(sessionKey.replace("lead", "writer"), /#2, by hand: 40%\]\n\nhalf way/)
  })

  it("is nobody for ends that the settings keep quiet", async () => {
    const teamId = await newTeam({ notifications: { completed: false } })
    const sessionKey = session()
    await use("lead", teamId, { action: "create", subject: "/say x", assignee: "writer" }, sessionKey)
    await admin.next("team.task.completed", ({ team_id }) => team_id === teamId)
    await until(async () => (await gateway.executeSql("SELECT FROM teams.tasks WHERE team_id = $1 AND announced_at IS NOT NULL", [teamId])).rows.length > 0)
    deepEqual(
      (await said(sessionKey)).filter((content) => content.includes(": completed]")),
      [],
    )
  })

  it("is the lead, once a task, when a member cannot go on", async () => {
    const teamId = await newTeam({})
    const blocked = `/tool team_tasks ${JSON.stringify({ action: "comment", team: teamId, task: "1", text: "no key for the archive", blocker: true })}`
    await admin.call("teams.tasks.create", { teamId, subject: blocked, assignTo: "writer" })
    const { payload } = await admin.next("agent", (event) => event.type === "run.started" && event.teamId === teamId && event.runKind === "announce")
    match(payload.sessionKey, new RegExp(`^agent:lead:team:${teamId}:.*-blocked$`))
    await line(payload.sessionKey, /#1, .*: blocked\]\n\nno key for the archive/)
    await use("writer", teamId, { action: "comment", task: "1", text: "still none", blocker: true })
    deepEqual(
      (await said(payload.sessionKey)).filter((content) => content.includes("still none")),
      [],
    )
  })

  it("is nobody of a blocker where the settings switch that off", async () => {
    const teamId = await newTeam({ blocker_escalation: { enabled: false } })
    await admin.call("teams.tasks.create", { teamId, subject: "open" })
    await use("writer", teamId, { action: "comment", task: "1", text: "stuck", blocker: true })
    const { rows } = await gateway.executeSql("SELECT escalation_run_id FROM teams.tasks WHERE team_id = $1", [teamId])
    deepEqual(rows, [{ escalation_run_id: null }])
  })

  describe("of a question", () => {
    const minutes = { followup_interval_minutes: 10, followup_max_reminders: 2 }
    /** A gateway looks at what is due when it starts, and every few minutes. */
    const due = async () => {
      await gateway.executeSql("UPDATE teams.tasks SET followup_at = now() - interval '1 second' WHERE followup_at IS NOT NULL")
      await gateway.close({ keep: true })
      gateway = await testGateway({ on: gateway.storage })
      admin = await gateway.as("admin", "acme", "anna").rpc()
    }
    const task = async (teamId: string): Promise<Json> => (await admin.call("teams.tasks.get-light", { teamId, taskId: "1" })).task
    const asking = async (settings: object) => {
      const teamId = await newTeam(settings)
      const sessionKey = session()
      await use("lead", teamId, { action: "create", subject: "the note" }, sessionKey)
      return { teamId, sessionKey, answer: await use("lead", teamId, { action: "ask", task: "1", text: "Which version?" }, sessionKey) }
    }

    it("is the task's user, as often as the settings say, until there is an answer", async () => {
      const open = await asking(minutes)
      const [inChat, onTask] = [await asking(minutes), await asking(minutes)]
      await admin.call("chat.send", { agentId: "lead", sessionKey: inChat.sessionKey, message: "/say 1.4" })
      await admin.call("teams.tasks.comment", { teamId: onTask.teamId, taskId: "1", content: "1.4" })
      const { followup_message, followup_count, followup_max, followup_at } = await task(open.teamId)
      deepEqual([followup_message, followup_count, followup_max, Date.parse(followup_at) > Date.now() + 500_000], ["Which version?", 0, 2, true])
      for (const count of [1, 2]) {
        await due()
        await line(open.sessionKey, new RegExp(`#1, the note: reminder ${count} of 2\\]\\n\\nWhich version\\?`))
      }
      const { events } = await admin.call("teams.tasks.events", { teamId: open.teamId, taskId: "1" })
      deepEqual(events.map((event: Json) => event.data.reason).filter(Boolean), ["Which version?", "Which version?"])
      const left = async ({ teamId }: { teamId: string }) => [(await task(teamId)).followup_count, (await task(teamId)).followup_at]
      deepEqual(
        [await left(open), await left(inChat), await left(onTask)],
        [
          [2, undefined],
          [0, undefined],
          [0, undefined],
        ],
      )
    })

    it("is refused where the settings have no interval", async () => {
      match((await asking({})).answer, /no followup_interval_minutes/)
    })
  })
})
