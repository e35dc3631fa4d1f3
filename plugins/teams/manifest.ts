import { AgentLinks, AgentParts, Agents, defineManifest, Runs, Sessions, Teams, Tools } from "@plugboard/sdk"
import { Type } from "typebox"
import { Config } from "./config.ts"
import { ActiveTask, Attachment, Comment, File, Member, Settings, Task, TaskEvent, TaskPayload, Team, TeamCreated, TeamDeleted, TeamMember, TeamUpdated, Uuid } from "./forms.ts"

const Id = Type.String({ maxLength: 100 })
const Ref = Type.String({ minLength: 1, maxLength: 100, description: "Agent key or UUID." })
const Long = Type.String({ maxLength: 10_000 })
const ChatId = Type.String({ maxLength: 255 })
const Name = Type.String({ minLength: 1, maxLength: 255 })
const Description = Type.Optional(Type.String({ maxLength: 10_000 }))
const Channel = Type.Optional(Type.String({ maxLength: 100 }))
const ChatIdMaybe = Type.Optional(ChatId)
const Ok = Type.Object({ ok: Type.Literal(true) })
/** Other shapes are for today's command-line client. Source: wire contract, websocket 8.2. */
const Rows = Type.Array(Type.Record(Type.String(), Type.Unknown()))
const OneTeam = Type.Object({ teamId: Id })
const OneTask = Type.Object({ teamId: Id, taskId: Id })
const ids = { id: "teamId", team_id: "teamId" } as const
const taskIds = { ...ids, task_id: "taskId" } as const
const inWorkspace = { id: "team_id", path: "file_name" } as const
const files = Type.Object({ files: Type.Array(File), count: Type.Integer() })
const events = Type.Object({ events: Type.Array(TaskEvent), count: Type.Integer() })
const task = { payload: TaskPayload, to: "user+admins" } as const
const read = { role: "viewer" } as const
const named = (name: string) => Type.Object({ [name]: Type.String() })

export const manifest = defineManifest({
  id: "teams",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Teams of agents: a board of tasks that its members claim, work on and review.",
  requires: [AgentLinks, Agents, Runs, Sessions],
  offers: [Teams],
  contributes: [AgentParts, Tools],
  capabilities: { db: true },
  config: Config,
  hooks: { "tools.resolving": { phase: "offer" }, "prompt.assembling": { phase: "recall" } },
  listens: ["sessions.interrupted"],
  rpc: {
    "teams.list": { ...read, summary: "Teams that the caller may see", result: Type.Union([Type.Object({ teams: Type.Array(Team), count: Type.Integer() }), Rows]) },
    "teams.get": { ...read, summary: "A team with its members", params: OneTeam, result: Type.Object({ team: Team, members: Type.Array(Member) }), aliases: ids },
    "teams.create": {
      role: "admin",
      summary: "Make a team of agents",
      params: Type.Object({
        name: Name,
        lead: Type.Optional(Ref),
        members: Type.Optional(Type.Array(Ref, { maxItems: 200 })),
        agent_ids: Type.Optional(Type.Array(Ref, { maxItems: 200, description: "The first is the lead, the rest are members." })),
        description: Description,
        settings: Type.Optional(Settings),
      }),
      result: Type.Object({ team: Team }),
    },
    "teams.update": {
      role: "admin",
      summary: "Change a team",
      params: Type.Object({ teamId: Id, name: Type.Optional(Name), description: Description, settings: Type.Optional(Settings) }),
      result: Ok,
      aliases: ids,
      order: "teamId",
    },
    "teams.delete": { role: "admin", summary: "Remove a team with its tasks and files", params: OneTeam, result: Ok, aliases: ids, order: "teamId" },
    "teams.members.add": {
      role: "admin",
      summary: "Take an agent into a team",
      params: Type.Object({ teamId: Id, agent: Ref, role: Type.Optional(Type.Enum(["member", "reviewer"], { default: "member" })) }),
      result: Ok,
      aliases: { ...ids, agent_id: "agent", agentId: "agent" },
      order: "teamId",
    },
    "teams.members.remove": {
      role: "admin",
      summary: "Take an agent out of a team",
      params: Type.Object({ teamId: Id, agentId: Ref }),
      result: Ok,
      aliases: { ...ids, agent: "agentId" },
      order: "teamId",
    },
    "teams.scopes": {
      ...read,
      summary: "Where a team's tasks come from",
      params: OneTeam,
      result: Type.Union([Type.Object({ scopes: Type.Array(Type.Object({ channel: Type.String(), chat_id: Type.String() })) }), Rows]),
      aliases: ids,
    },
    "teams.known_users": {
      ...read,
      summary: "Users for whom a team has worked, at most 100",
      params: OneTeam,
      result: Type.Union([Type.Object({ users: Type.Array(Type.String()) }), Rows]),
      aliases: ids,
    },
    "teams.events.list": {
      ...read,
      summary: "What happened to a team's tasks, newest first",
      params: Type.Object({ team_id: Id, limit: Type.Optional(Type.Integer()), offset: Type.Optional(Type.Integer()) }),
      result: Type.Union([events, Rows]),
      aliases: { id: "team_id" },
    },
    "teams.tasks.list": {
      ...read,
      summary: "A team's tasks, newest first, at most 200",
      params: Type.Object({ teamId: Id, status: Type.Optional(Type.String({ maxLength: 50 })), channel: Channel, chatId: ChatIdMaybe }),
      result: Type.Union([Type.Object({ tasks: Type.Array(Task), count: Type.Integer() }), Rows]),
      aliases: ids,
    },
    "teams.tasks.get": {
      ...read,
      summary: "A task with its comments, history and files",
      params: OneTask,
      result: Type.Object({ task: Task, comments: Type.Array(Comment), events: Type.Array(TaskEvent), attachments: Type.Array(Attachment) }),
      aliases: taskIds,
    },
    "teams.tasks.get-light": { ...read, summary: "A task", params: OneTask, result: Type.Object({ task: Task }), aliases: taskIds },
    "teams.tasks.active-by-session": {
      ...read,
      summary: "Tasks that were made in a session, or are worked on there, and have not ended",
      params: Type.Object({ sessionKey: Type.String({ maxLength: 500 }) }),
      result: Type.Object({ tasks: Type.Array(ActiveTask) }),
    },
    "teams.tasks.create": {
      role: "operator",
      summary: "Put a task on a team's board; one with an assignee begins at once",
      params: Type.Object({
        teamId: Id,
        subject: Type.String({ minLength: 1, maxLength: 500 }),
        description: Description,
        priority: Type.Optional(Type.Integer({ minimum: -1_000_000, maximum: 1_000_000 })),
        taskType: Type.Optional(Type.String({ minLength: 1, maxLength: 50, default: "general" })),
        assignTo: Type.Optional(Type.String({ maxLength: 100, description: "Member: agent key or UUID." })),
        blockedBy: Type.Optional(Type.Array(Id, { maxItems: 50, description: "Tasks that must be completed first." })),
        channel: Channel,
        chatId: ChatIdMaybe,
      }),
      result: Type.Object({ task: Task }),
      aliases: { ...ids, title: "subject", assignee_id: "assignTo" },
    },
    "teams.tasks.assign": {
      role: "operator",
      summary: "Give a task to a member, who begins at once",
      params: Type.Object({ teamId: Id, taskId: Id, agentId: Ref }),
      result: Ok,
      aliases: taskIds,
      order: "taskId",
    },
    "teams.tasks.claim": {
      role: "operator",
      summary: "Take a free task for a member, who begins at once",
      params: Type.Object({ teamId: Id, taskId: Id, agentId: Ref }),
      result: Ok,
      aliases: taskIds,
      order: "taskId",
    },
    "teams.tasks.approve": {
      role: "operator",
      summary: "Accept a result that waits for its review",
      params: Type.Object({ teamId: Id, taskId: Id, comment: Type.Optional(Long) }),
      result: Ok,
      aliases: taskIds,
      order: "taskId",
    },
    "teams.tasks.reject": {
      role: "operator",
      summary: "Refuse a result that waits for its review",
      params: Type.Object({ teamId: Id, taskId: Id, reason: Type.Optional(Long) }),
      result: Ok,
      aliases: taskIds,
      order: "taskId",
    },
    "teams.tasks.comment": {
      role: "operator",
      summary: "Comment on a task",
      params: Type.Object({ teamId: Id, taskId: Id, content: Type.String({ minLength: 1, maxLength: 10_000 }) }),
      result: Ok,
      aliases: { ...taskIds, text: "content" },
    },
    "teams.tasks.comments": {
      ...read,
      summary: "The newest comments on a task, oldest first",
      params: OneTask,
      result: Type.Union([Type.Object({ comments: Type.Array(Comment) }), Rows]),
      aliases: taskIds,
    },
    "teams.tasks.events": {
      ...read,
      summary: "What happened to a task, oldest first",
      params: OneTask,
      result: Type.Union([Type.Object({ events: Type.Array(TaskEvent) }), Rows]),
      aliases: taskIds,
    },
    "teams.tasks.delete": { role: "admin", summary: "Remove a task that has ended", params: OneTask, result: Ok, aliases: taskIds, order: "taskId" },
    "teams.tasks.delete-bulk": {
      role: "admin",
      summary: "Remove those of these tasks that have ended",
      params: Type.Object({ teamId: Id, taskIds: Type.Array(Id, { maxItems: 200 }) }),
      result: Type.Object({ deleted: Type.Integer() }),
      aliases: ids,
    },
    "teams.workspace.list": {
      ...read,
      summary: "A team's files",
      params: Type.Object({ team_id: Id, chat_id: ChatIdMaybe }),
      result: Type.Union([files, Rows]),
      aliases: inWorkspace,
    },
    "teams.workspace.read": {
      ...read,
      summary: "A file of a team, its first 500,000 characters",
      params: Type.Object({ team_id: Id, chat_id: ChatIdMaybe, file_name: Type.String({ maxLength: 500 }) }),
      result: Type.Object({ file: File, content: Type.String() }),
      aliases: inWorkspace,
    },
    "teams.workspace.delete": {
      role: "operator",
      summary: "Remove a file of a team",
      params: Type.Object({ team_id: Id, chat_id: ChatIdMaybe, file_name: Type.String({ maxLength: 500 }) }),
      result: Type.Object({ deleted: Type.String() }),
      aliases: inWorkspace,
    },
  },
  events: {
    "team.created": { payload: TeamCreated, to: "user+admins" },
    "team.updated": { payload: TeamUpdated, to: "user+admins" },
    "team.deleted": { payload: TeamDeleted, to: "user+admins" },
    "team.member.added": { payload: TeamMember, to: "user+admins" },
    "team.member.removed": { payload: TeamMember, to: "user+admins" },
    "team.leader.processing": { payload: Type.Object({ agentId: Type.String(), tasks: Type.Integer() }), to: "user+admins" },
    "team.task.created": task,
    "team.task.claimed": task,
    "team.task.assigned": task,
    "team.task.dispatched": task,
    "team.task.progress": task,
    "team.task.reviewed": task,
    "team.task.approved": task,
    "team.task.rejected": task,
    "team.task.completed": task,
    "team.task.failed": task,
    "team.task.cancelled": task,
    "team.task.commented": task,
    "team.task.updated": task,
    "team.task.deleted": task,
    "team.task.stale": task,
    "team.task.attachment_added": task,
    "workspace.file.changed": {
      payload: Type.Object({ team_id: Uuid, chat_id: Type.String(), file_name: Type.String(), action: Type.Enum(["written", "deleted"]) }),
      to: "admins",
    },
    "teams.changed": { payload: Type.Object({}), to: "internal" },
    "teams.board_changed": { payload: Type.Object({}), to: "internal" },
  },
  jobs: { tend: { data: Type.Object({}), cron: "*/5 * * * *" } },
  errors: {
    unknown_team: { kind: "NOT_FOUND", params: named("team") },
    unknown_task: { kind: "NOT_FOUND", params: named("task") },
    unknown_agent: { kind: "NOT_FOUND", params: named("agent") },
    unknown_file: { kind: "NOT_FOUND", params: named("file") },
    no_lead: { kind: "INVALID_REQUEST" },
    no_members: { kind: "INVALID_REQUEST" },
    not_a_member: { kind: "INVALID_REQUEST", params: named("agent") },
    member_already: { kind: "ALREADY_EXISTS", params: named("agent") },
    is_lead: { kind: "INVALID_REQUEST", params: named("agent") },
    too_many: { kind: "RESOURCE_EXHAUSTED", params: Type.Object({ most: Type.Integer() }) },
    archived: { kind: "FAILED_PRECONDITION", params: named("team") },
    wrong_state: { kind: "FAILED_PRECONDITION", params: Type.Object({ task: Type.String(), status: Type.String() }) },
    taken: { kind: "FAILED_PRECONDITION", params: Type.Object({ task: Type.String(), agent: Type.String() }) },
    followups_off: { kind: "FAILED_PRECONDITION" },
    circle: { kind: "INVALID_REQUEST", params: named("task") },
    bad_file_name: { kind: "INVALID_REQUEST" },
    quota: { kind: "RESOURCE_EXHAUSTED", params: Type.Object({ megabytes: Type.Integer() }) },
    // What the model reads, and what becomes a task's result.
    not_in_team: { kind: "FORBIDDEN" },
    which_team: { kind: "INVALID_REQUEST", params: named("teams") },
    lead_only: { kind: "FORBIDDEN" },
    reviewers_only: { kind: "FORBIDDEN" },
    not_yours: { kind: "FORBIDDEN", params: named("task") },
    closed: { kind: "FORBIDDEN" },
    requests_off: { kind: "FORBIDDEN" },
    too_many_hops: { kind: "FAILED_PRECONDITION", params: Type.Object({ maxHops: Type.Integer() }) },
    incomplete: { kind: "INVALID_REQUEST", params: named("field") },
    inactive: { kind: "UNAVAILABLE", params: named("agent") },
    rejected: { kind: "UNPROCESSABLE" },
    timed_out: { kind: "AGENT_TIMEOUT", params: Type.Object({ seconds: Type.Integer() }) },
    interrupted: { kind: "UNAVAILABLE" },
    cancelled: { kind: "UNPROCESSABLE" },
    no_answer: { kind: "INTERNAL" },
  },
})
