import type { Caller } from "../caller.ts"
import type { ContentPart, ToolCall, Usage } from "../points/provider.ts"
import { service } from "../tokens.ts"
import type { RunAttempt } from "./routes.ts"
import type { UsageSource } from "./usage.ts"

export type RunStatus = "queued" | "running" | "completed" | "failed" | "cancelled" | "interrupted"

/** A message as it is stored. `ordinal` orders the messages of a session; gaps mean nothing. */
export interface StoredMessage {
  id: string
  ordinal: number
  role: "user" | "assistant" | "tool" | "system"
  content: string
  /** Set when the content has parts that are no text. */
  parts?: ContentPart[]
  thinking?: string
  toolCalls?: ToolCall[]
  toolCallId?: string
  isError?: boolean
  createdAt: string
}
/** A message that a run has made and that is not stored yet. */
export type NewMessage = Omit<StoredMessage, "createdAt">

export interface Turn {
  runId: string
  sessionKey: string
  agentKey: string
  channel: string
  chatId: string
  message: string
  parts?: ContentPart[]
  /** Earlier messages, for a session that this turn opens. */
  history?: readonly Pick<NewMessage, "role" | "content" | "parts">[]
  /** What to do when the session has a run already. */
  whenBusy: "inject" | "queue"
  /** A second turn with the same key of the same user is the first one again. */
  idempotencyKey?: string
}

export interface RunAnswer {
  runId: string
  status: RunStatus
  content: string
  thinking?: string
  usage?: Usage
  /** In nano-USD; null while it is under way, and when nobody knows. */
  costNanoUsd: number | null
  attempts?: readonly RunAttempt[]
  error?: string
}

export interface Started {
  outcome: "started"
  runId: string
  ordinal: number
  model: string
  /** What the model is to look back on: the newest messages behind the summary, oldest first. */
  history: StoredMessage[]
  /** Of all messages up to the ordinal `summarizedTo`; left out: of none. */
  summary?: string
  summarizedTo: number
  /** There are messages that neither the summary covers nor `history` holds. */
  truncated: boolean
  /** The session is new, and was named so. */
  title?: string
}

/** What became of a turn. `started` and `queued`: the user's message is stored. */
export type Begun =
  | Started
  | { outcome: "injected"; runId: string }
  | { outcome: "queued"; runId: string }
  /** The idempotency key was used before, by this run. */
  | { outcome: "repeated"; runId: string; answer: RunAnswer }
  /** The session belongs to another user. */
  | { outcome: "foreign" }
  /** Too many turns wait for this session. */
  | { outcome: "full" }

export interface Finish {
  runId: string
  sessionKey: string
  status: Extract<RunStatus, "completed" | "failed" | "cancelled" | "interrupted">
  messages: readonly NewMessage[]
  /** Injected messages that the run has read, with the places that they got. */
  consumed: readonly { id: string; ordinal: number }[]
  provider: string
  model: string
  usage: Usage
  /** In nano-USD; null: nobody knows. */
  costNanoUsd: number | null
  attempts: readonly RunAttempt[]
  /** Of a session that is new: those who see it are told. */
  title?: string
  error?: string
}
export type Finished =
  /** `next`: a queued run of this session, which its node may start now. */
  | { outcome: "finished"; next: string | null }
  /** Messages came in between; the run goes on with them. Only for `completed`. */
  | { outcome: "more"; injected: StoredMessage[] }
  /** Another node has ended the run, since its lease ran out. */
  | { outcome: "lost" }

export interface SessionFacts {
  key: string
  agentKey: string
  userId: string
  /** Id of the run under way. */
  activeRun: string | null
}

/** A session that has used tokens, in all of its runs together. */
export interface UsedSession {
  agentKey: string
  sessionKey: string
  userId: string
  model: string
  provider: string
  inputTokens: number
  outputTokens: number
  updatedAt: string
}
/** What is left out does not narrow. */
export interface UsedSessionFilter {
  /** Key or UUID. */
  agent?: string
  provider?: string
  /** RFC 3339: last changed at that time or later, and before the other. */
  from?: string
  to?: string
}

/** What a model is shown of a session besides its newest messages. */
export interface SessionMemory {
  agentKey: string
  /** Of the latest run. */
  model: string
  summary: string
  /** Ordinal of the last message that the summary covers; 0: none. */
  summarizedTo: number
  /** Messages behind it. */
  beyond: number
  /** A run holds the session. */
  busy: boolean
}
/** A run of a session that is, or was lately, under way. */
export interface SessionActivity {
  runId: string
  sessionKey: string
  /** Whose the session is, and who has started the run. */
  ownerId: string
  userId: string
  agentKey: string
  channel: string
  chatId: string
  /** Id of the node where it is. */
  node: string
  isRunning: boolean
}
export interface NewSummary {
  sessionKey: string
  summary: string
  /** The `summarizedTo` that it takes the place of, and the new one. */
  from: number
  to: number
  /** That the model is shown from now on, more or less. */
  tokens: number
  /** What making it took, where no run has it. */
  usage?: Usage
  /** A caller has asked for it, which the audit log tells. */
  byHand?: boolean
}

/** Conversations, their messages and their runs. A user owns a session; admins see all of their tenant. */
export interface SessionsService extends UsageSource {
  /** Session, lock, run and message in one statement. */
  begin(caller: Caller, turn: Turn): Promise<Begun>
  /** A queued run whose turn has come. Null when it is not to be started any more. */
  resume(caller: Caller, runId: string): Promise<(Started & { turn: Turn }) | null>
  /** Messages, usage, the end and the lock in one statement. */
  finish(caller: Caller, finish: Finish): Promise<Finished>
  /** Injected messages that the run has not read, oldest first. */
  injected(caller: Caller, runId: string): Promise<StoredMessage[]>
  /** Null when there is no such session; `sessions.foreign` when it is another user's. */
  facts(caller: Caller, sessionKey: string): Promise<SessionFacts | null>
  /** The newest messages before the one of that id, or of all; oldest first. `more`: there are older ones. A page has its bounds, whatever is asked for. */
  history(caller: Caller, sessionKey: string, page?: { before?: string; limit?: number }): Promise<{ messages: StoredMessage[]; more: boolean }>
  /** The newest messages between two ordinals, `limit` of them and some MiB at most; oldest first. */
  between(caller: Caller, sessionKey: string, after: number, before: number | null, limit: number): Promise<StoredMessage[]>
  memory(caller: Caller, sessionKey: string): Promise<SessionMemory | null>
  /** Stores a summary. False: the session was cleared, somebody else has summarized it meanwhile, or (by hand) a run holds it. */
  summarize(caller: Caller, summary: NewSummary): Promise<boolean>
  /** The caller's newest session with an agent, or the newest with a run. */
  newest(caller: Caller, agentKey: string, running: boolean): Promise<string | null>
  /** Adds an assistant message without a run. Null when there is no such session. */
  append(caller: Caller, sessionKey: string, content: string): Promise<string | null>
  answer(caller: Caller, runId: string): Promise<RunAnswer | null>
  /** Runs of these sessions that are under way, or have ended within the last seconds; of all sessions of the tenant, whoever asks: look at `ownerId`. */
  activity(caller: Caller, sessionKeys: readonly string[], seconds: number): Promise<SessionActivity[]>
  /** Forgets the session's messages; one that is not there is left so. Rejects with `sessions.busy` while a run holds it, with `sessions.foreign` for another user's. */
  clear(caller: Caller, sessionKey: string): Promise<void>
  /** With its messages and runs. Rejects with `sessions.busy`, `sessions.foreign`, `sessions.unknown_session`; for admins one that is not there is gone already. */
  remove(caller: Caller, sessionKey: string): Promise<void>
  /** An agent is gone: its sessions go with it, whoever they belong to, in the caller's transaction. A run under way in one of them ends without a trace. Returns how many. */
  removeOfAgent(caller: Caller, agentKey: string): Promise<number>
  /** Sessions that the caller sees. */
  count(caller: Caller): Promise<number>
  /** Those that the caller sees, newest first. */
  used(caller: Caller, filter: UsedSessionFilter, limit: number, offset: number): Promise<{ records: UsedSession[]; total: number }>
  /** Totals of the tenant; 1,000 agents at most, those with the most tokens first. */
  usedByAgent(caller: Caller): Promise<{ agentKey: string; inputTokens: number; outputTokens: number; sessions: number }[]>
}
export const Sessions = service<SessionsService>("sessions", "1.1.0")

/** A stored message as clients read it. Source: wire contract, websocket 6.5. */
export function wireMessage(message: StoredMessage) {
  const { id, role, content, thinking, toolCalls, toolCallId, isError, createdAt } = message
  return {
    id,
    role,
    content,
    ...(thinking && { thinking }),
    ...(toolCalls && {
      tool_calls: toolCalls.map((call) => ({ id: call.id, name: call.name, arguments: { ...call.arguments }, ...(call.parseError && { parse_error: call.parseError }) })),
    }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
    ...(isError && { is_error: true }),
    created_at: createdAt,
  }
}
