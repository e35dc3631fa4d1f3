import { type TSchema, Type } from "typebox"

export const Uuid = Type.String({ format: "uuid" })
const Time = Type.String({ format: "date-time" })
const Text = Type.String()
const may = <S extends TSchema>(schema: S) => Type.Optional(schema)
const Names = may(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 200 }))
const Flag = may(Type.Boolean())

const kept = "Kept for clients; no plugin here acts on it."

/** Source: wire contract, websocket 4.17. */
export const Settings = Type.Object({
  version: may(Type.Integer({ description: "A client's own; nothing here reads it." })),
  allow_user_ids: Names,
  deny_user_ids: Names,
  allow_channels: Names,
  deny_channels: Names,
  progress_notifications: may(Type.Boolean({ description: "As notifications.progress, which wins." })),
  followup_interval_minutes: may(
    Type.Integer({
      minimum: 0,
      maximum: 100_000,
      description: "Between two reminders of an agent's question to the task's user; looked at every 5 minutes. 0 or absent: no questions.",
    }),
  ),
  followup_max_reminders: may(Type.Integer({ minimum: 0, maximum: 1_000, description: "Absent: 3; 0: no questions." })),
  escalation_mode: may(Type.String({ maxLength: 50, description: kept })),
  escalation_actions: may(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 200, description: kept })),
  workspace_scope: may(Type.String({ maxLength: 50, description: "isolated: files belong to a chat; anything else: to the team." })),
  workspace_quota_mb: may(Type.Integer({ minimum: 0, maximum: 1_000, description: "0: the gateway's own limit." })),
  notifications: may(
    Type.Object(
      {
        dispatched: Flag,
        progress: Flag,
        failed: may(Type.Boolean({ description: "Absent: true." })),
        completed: may(Type.Boolean({ description: "Absent: true." })),
        commented: Flag,
        new_task: Flag,
        slow_tool: may(Type.Boolean({ description: kept })),
        mode: may(
          Type.String({
            maxLength: 50,
            description: "direct: an end is a line in the conversation too; anything else: the agent that made the task is told of it, and tells the user.",
          }),
        ),
      },
      { description: "What the conversation in which an agent has made a task is told of it, as lines in it." },
    ),
  ),
  member_requests: may(Type.Object({ enabled: Flag, auto_dispatch: Flag })),
  blocker_escalation: may(Type.Object({ enabled: may(Type.Boolean({ description: "Absent: true. The lead is told of the first blocker of a task." })) })),
})

export const MemberRole = Type.Enum(["lead", "member", "reviewer"])
export const Member = Type.Object({
  team_id: Uuid,
  agent_id: Uuid,
  role: MemberRole,
  joined_at: Time,
  agent_key: may(Text),
  display_name: may(Text),
  frontmatter: may(Text),
  emoji: may(Text),
})
export const Team = Type.Object({
  id: Uuid,
  created_at: Time,
  updated_at: Time,
  name: Text,
  lead_agent_id: Uuid,
  description: may(Text),
  status: Type.Enum(["active", "archived"]),
  settings: may(Settings),
  created_by: Text,
  lead_agent_key: may(Text),
  lead_display_name: may(Text),
  member_count: Type.Integer(),
  members: may(Type.Array(Member)),
})

export const TaskStatus = Type.Enum(["pending", "in_progress", "completed", "blocked", "failed", "in_review", "cancelled", "stale"])
export const Task = Type.Object({
  id: Uuid,
  created_at: Time,
  updated_at: Time,
  team_id: Uuid,
  tenant_id: Uuid,
  subject: Text,
  description: may(Text),
  status: TaskStatus,
  owner_agent_id: may(Uuid),
  blocked_by: may(Type.Array(Uuid)),
  priority: Type.Integer(),
  result: may(Text),
  user_id: may(Text),
  channel: may(Text),
  task_type: Text,
  task_number: may(Type.Integer()),
  identifier: may(Text),
  created_by_agent_id: may(Uuid),
  parent_id: may(Uuid),
  chat_id: may(Text),
  locked_at: may(Time),
  lock_expires_at: may(Time),
  progress_percent: may(Type.Integer()),
  progress_step: may(Text),
  followup_at: may(Time),
  followup_count: may(Type.Integer()),
  followup_max: may(Type.Integer()),
  followup_message: may(Text),
  comment_count: Type.Integer(),
  attachment_count: Type.Integer(),
  owner_agent_key: may(Text),
  created_by_agent_key: may(Text),
})
export const Comment = Type.Object({
  id: Uuid,
  task_id: Uuid,
  agent_id: may(Uuid),
  user_id: may(Text),
  content: Text,
  comment_type: may(Type.Enum(["note", "blocker"])),
  created_at: Time,
  agent_key: may(Text),
})
export const TaskEvent = Type.Object({
  id: Uuid,
  task_id: Uuid,
  event_type: Text,
  actor_type: Type.Enum(["agent", "human", "system"]),
  actor_id: Text,
  data: may(Type.Record(Text, Type.Unknown())),
  created_at: Time,
})
export const Attachment = Type.Object({
  id: Uuid,
  task_id: Uuid,
  team_id: Uuid,
  chat_id: may(Text),
  path: Text,
  base_name: may(Text),
  file_size: Type.Integer(),
  created_by_agent_id: may(Uuid),
  created_at: Time,
})
export const File = Type.Object({ name: Text, path: Text, size: Type.Integer(), chat_id: Text, updated_at: may(Time) })
export const ActiveTask = Type.Object({
  taskId: Uuid,
  taskNumber: Type.Integer(),
  subject: Text,
  status: TaskStatus,
  ownerAgentKey: may(Text),
  ownerDisplayName: may(Text),
  progressPercent: may(Type.Integer()),
  progressStep: may(Text),
  commentCount: Type.Integer(),
  attachmentCount: Type.Integer(),
})

/** Source: wire contract, websocket 5.3. */
export const TaskPayload = Type.Object({
  team_id: Uuid,
  task_id: Uuid,
  task_number: Type.Integer(),
  subject: Text,
  status: TaskStatus,
  owner_agent_key: may(Text),
  owner_display_name: may(Text),
  reason: may(Text),
  user_id: Text,
  channel: Text,
  chat_id: Text,
  timestamp: Time,
  comment_text: may(Text),
  progress_percent: may(Type.Integer()),
  progress_step: may(Text),
  actor_type: Type.Enum(["agent", "human", "system"]),
  actor_id: Text,
})
const team = { team_id: Uuid, team_name: Text }
const lead = { lead_agent_key: Text, lead_display_name: may(Text), member_count: Type.Integer() }
const member = { agent_id: Uuid, agent_key: Text, display_name: may(Text), role: may(MemberRole) }
export const TeamCreated = Type.Object({ ...team, ...lead })
export const TeamUpdated = Type.Object({ ...team, changes: Type.Array(Text) })
export const TeamDeleted = Type.Object(team)
export const TeamMember = Type.Object({ ...team, ...member })
