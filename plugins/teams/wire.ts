import { basename } from "node:path/posix"
import type { AgentsService, Caller, Remote } from "@plugboard/sdk"
import type { AttachmentRow, FileRow } from "./files.ts"
import type { CommentRow, EventRow } from "./history.ts"
import type { MemberRow, TeamRow } from "./roster.ts"
import type { TaskRow } from "./tasks.ts"

/** Who has done something on a board. `id`: of an agent its key. */
export interface Actor {
  type: "agent" | "human" | "system"
  id: string
  /** UUID, for an agent. */
  agentId?: string
}
/** What an event tells besides the task. */
export interface Told {
  reason?: string
  comment?: string
}
const commentChars = 500

/** The beginning of a text, as PostgreSQL takes it: without NUL and halves of surrogate pairs. */
export function beginningOf(text: string, chars: number): string {
  return text.slice(0, chars).replaceAll("\0", "\ufffd").toWellFormed()
}

/** Rows as clients read them, with the names of their agents. Source: wire contract, websocket 4.17 and 5.3. */
export function createWire(agents: Remote<AgentsService>) {
  /** One that is gone has no names. */
  const named = async (caller: Caller, id: string | null) => (id === null ? null : agents.find(caller, id))

  return {
    agent: named,
    async team(caller: Caller, row: TeamRow) {
      const { tenant_id, last_number, task_count, description, ...rest } = row
      const lead = await named(caller, row.lead_agent_id)
      return { ...rest, ...(description !== "" && { description }), ...(lead && { lead_agent_key: lead.key, lead_display_name: lead.displayName }) }
    },
    async member(caller: Caller, row: MemberRow) {
      const agent = await named(caller, row.agent_id)
      return { ...row, ...(agent && { agent_key: agent.key, display_name: agent.displayName, frontmatter: agent.description, emoji: agent.emoji }) }
    },
    async task(caller: Caller, row: TaskRow) {
      const [owner, maker] = await Promise.all([named(caller, row.owner_agent_id), named(caller, row.created_by_agent_id)])
      const { id, created_at, updated_at, team_id, tenant_id, subject, status, priority, user_id, channel, chat_id, task_type, task_number, comment_count, attachment_count } = row
      return {
        ...{ id, created_at, updated_at, team_id, tenant_id, subject, status, priority, user_id, channel, chat_id, task_type, task_number, comment_count, attachment_count },
        identifier: `#${task_number}`,
        ...(row.description !== "" && { description: row.description }),
        ...(row.owner_agent_id !== null && { owner_agent_id: row.owner_agent_id }),
        ...(row.blocked_by.length > 0 && { blocked_by: row.blocked_by }),
        ...(row.result !== null && { result: row.result }),
        ...(row.created_by_agent_id !== null && { created_by_agent_id: row.created_by_agent_id }),
        ...(row.parent_id !== null && { parent_id: row.parent_id }),
        ...(row.locked_at !== null && { locked_at: row.locked_at }),
        ...(row.lock_expires_at !== null && { lock_expires_at: row.lock_expires_at }),
        ...(row.progress_percent !== null && { progress_percent: row.progress_percent }),
        ...(row.progress_step !== null && { progress_step: row.progress_step }),
        ...(row.followup_message !== null && { followup_message: row.followup_message, followup_count: row.followup_count, followup_max: row.followup_max }),
        ...(row.followup_at !== null && { followup_at: row.followup_at }),
        ...(owner && { owner_agent_key: owner.key }),
        ...(maker && { created_by_agent_key: maker.key }),
      }
    },
    async activeTask(caller: Caller, row: TaskRow) {
      const owner = await named(caller, row.owner_agent_id)
      return {
        taskId: row.id,
        taskNumber: row.task_number,
        subject: row.subject,
        status: row.status,
        ...(owner && { ownerAgentKey: owner.key, ownerDisplayName: owner.displayName }),
        ...(row.progress_percent !== null && { progressPercent: row.progress_percent }),
        ...(row.progress_step !== null && { progressStep: row.progress_step }),
        commentCount: row.comment_count,
        attachmentCount: row.attachment_count,
      }
    },
    async comment(caller: Caller, { agent_id, user_id, ...row }: CommentRow) {
      const agent = await named(caller, agent_id)
      return { ...row, ...(agent_id !== null && { agent_id }), ...(user_id !== null && { user_id }), ...(agent && { agent_key: agent.key }) }
    },
    async told(caller: Caller, row: TaskRow, actor: Actor, { reason, comment }: Told) {
      const owner = await named(caller, row.owner_agent_id)
      const { team_id, id, task_number, subject, status, user_id, channel, chat_id } = row
      return {
        ...{ team_id, task_id: id, task_number, subject, status, user_id, channel, chat_id },
        timestamp: new Date().toISOString(),
        ...(owner && { owner_agent_key: owner.key, owner_display_name: owner.displayName }),
        ...(reason !== undefined && { reason: beginningOf(reason, commentChars) }),
        ...(comment !== undefined && { comment_text: beginningOf(comment, commentChars) }),
        ...(row.progress_percent !== null && { progress_percent: row.progress_percent }),
        ...(row.progress_step !== null && { progress_step: row.progress_step }),
        actor_type: actor.type,
        actor_id: actor.id,
      }
    },
  }
}
export type Wire = ReturnType<typeof createWire>

export function wireEvent({ data, ...row }: EventRow) {
  return { ...row, ...(data && { data }) }
}

export function wireFile({ chat_id, name, size, updated_at }: FileRow) {
  return { name, path: name, size, chat_id, updated_at }
}

export function wireAttachment({ created_by_agent_id, ...row }: AttachmentRow) {
  return { ...row, base_name: basename(row.path), ...(created_by_agent_id !== null && { created_by_agent_id }) }
}
