import type { Caller } from "../caller.ts"
import type { ModelMessage } from "../points/provider.ts"
import { service } from "../tokens.ts"
import type { AgentProfile } from "./agents.ts"
import type { RunAttempt } from "./routes.ts"

/** A message that a model is shown, and its place in the session. */
export interface PlacedMessage {
  ordinal: number
  message: ModelMessage
}

/** What a run's next request shows its model of the session. */
export interface Conversation {
  runId: string
  sessionKey: string
  agent: AgentProfile
  /** Whom the run asks. */
  provider: string
  model: string
  /** Of the run's model calls, from 1. */
  iteration: number
  /** Of all that came before `messages`; empty: of nothing. */
  summary: string
  /** Ordinal of the last message that the summary covers. */
  summarizedTo: number
  messages: readonly PlacedMessage[]
  /** True: between the summary and `messages` there are stored ones that neither covers. */
  truncated: boolean
  /** UTF-8 bytes of what else the request holds: the prompt, the tools. */
  besideBytes: number
  /** As the provider counted the latest request of this session; left out: not known. */
  tokensPerByte?: number
}

/** The conversation as it fits. `messages` begin with a user's, or with what a summary can stand before; calls of tools are with their results. */
export interface Fitted extends Pick<Conversation, "summary" | "summarizedTo" | "messages"> {
  /** What making it took, marked with their purpose. */
  attempts: readonly RunAttempt[]
}

/** Keeps conversations within the windows of their models: what is old becomes a summary, and stays stored. */
export interface CompactionService {
  /** True: before this request is made, the conversation should be made to fit. Cheap while it is far from that. */
  outgrown(caller: Caller, conversation: Conversation): Promise<boolean>
  /**
   * The conversation within its limit, and the summary stored with the session. Whoever should summarize and does not, the conversation fits: its oldest turns are left out then.
   * `refused`: the provider itself found it too long, whatever was reckoned. Rejects when the signal ends, and for nothing else.
   */
  fit(caller: Caller, conversation: Conversation, refused: boolean, signal: AbortSignal): Promise<Fitted>
}
export const Compaction = service<CompactionService>("compaction", "1.0.0")
