import { randomUUIDv7 } from "node:crypto"
import {
  type AgentProfile,
  addUsage,
  type CacheWish,
  type Caller,
  type ModelMessage,
  type NewMessage,
  noUsage,
  type RunAttempt,
  type RunOrigin,
  type Spent,
  type StoredMessage,
  type Turn,
  type Usage,
} from "@plugboard/sdk"
import type { Outcome } from "./outcome.ts"
import { RunLog } from "./run-log.ts"

/** Why a run is ended from outside. */
export type EndReason = "cancelled" | "deadline" | "interrupted"

/** What somebody asks of the engine. */
export interface Request {
  agent: AgentProfile
  turn: Omit<Turn, "runId">
  /** Chosen beforehand where a session key is made of it. */
  runId: string
  /** True: deltas are of use to somebody. */
  stream: boolean
  /** System texts of the caller, added to the agent's prompt. */
  instructions: readonly string[]
  /** The model sees none of the session's earlier messages. */
  fresh?: boolean
  /** Set for a run that another agent has caused. */
  origin?: RunOrigin
  model?: string
  maxTokens?: number
  temperature?: number
  /** What the client says of kept answers. */
  cache?: CacheWish
}

/** One turn of work while it is under way on this node. */
export class Run {
  readonly id: string
  readonly caller: Caller
  readonly request: Request
  readonly log = new RunLog()
  readonly startedAt = new Date()
  /** Messages that are not stored yet. */
  readonly made: NewMessage[] = []
  readonly consumed: { id: string; ordinal: number }[] = []
  readonly conversation: ModelMessage[] = []
  /** Text and thinking of the model call under way. */
  text = ""
  thinking = ""
  usage: Usage = noUsage
  /** What each request to a provider used; together `usage`. */
  readonly spent: Spent[] = []
  /** In nano-USD; null until its end, and when nobody knows. */
  costNanoUsd: number | null = null
  /** Whom it asks first. */
  provider = ""
  model = ""
  /** Whether answers were given again: `hit` when all of them were. Left out when none is looked for. */
  cache: "hit" | "miss" | undefined
  /** Who gave the latest answer. */
  answeredBy: { provider: string; model: string } | undefined
  readonly attempts: RunAttempt[] = []
  activity: Readonly<Record<string, unknown>> | null = null
  /** Messages have come that the run has not read. */
  hasInjected = false
  endReason: EndReason | undefined
  readonly #abort = new AbortController()
  readonly #done = Promise.withResolvers<Outcome>()
  #ordinal = 0

  constructor(caller: Caller, request: Request) {
    this.id = request.runId
    this.caller = caller
    this.request = request
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }
  get sessionKey(): string {
    return this.request.turn.sessionKey
  }
  /** In the log. */
  get named() {
    return { run: this.id, tenant: this.caller.tenantId, agent: this.request.agent.key }
  }
  /** Resolves with the end, whatever it is; never rejects. */
  get done(): Promise<Outcome> {
    return this.#done.promise
  }

  /** True once its turn has come. */
  get seated(): boolean {
    return this.#ordinal > 0
  }

  /** Takes its place in the session, behind the user's message. */
  seat(ordinal: number, history: readonly StoredMessage[], maxChars: number): void {
    this.#ordinal = ordinal
    if (!this.request.fresh) this.conversation.push(...recent(history, maxChars).map(modelMessage))
    const { message, parts } = this.request.turn
    this.conversation.push({ role: "user", content: parts ?? message })
  }

  keep(message: Omit<NewMessage, "id" | "ordinal">): void {
    this.#ordinal += 1
    this.made.push({ ...message, id: randomUUIDv7(), ordinal: this.#ordinal })
  }

  consume(message: StoredMessage): void {
    this.#ordinal += 1
    this.consumed.push({ id: message.id, ordinal: this.#ordinal })
    this.conversation.push(modelMessage(message))
  }

  spend(provider: string, model: string, usage: Usage): void {
    this.usage = addUsage(this.usage, usage)
    this.spent.push({ provider, model, usage })
  }

  /** Ends the model call and the tools. The first reason counts. */
  stop(reason: EndReason): void {
    this.endReason ??= reason
    this.#abort.abort(new Error(`run ${reason}`))
  }

  settle(outcome: Outcome): void {
    this.#done.resolve(outcome)
  }
}

function modelMessage({ role, content, parts, thinking, toolCalls, toolCallId, isError }: StoredMessage): ModelMessage {
  return {
    role,
    content: parts ?? content,
    ...(thinking && { thinking }),
    ...(toolCalls && { toolCalls }),
    ...(toolCallId !== undefined && { toolCallId }),
    ...(isError && { isError }),
  }
}

/** The end of the history that fits; never beginning with a tool's result, whose call was cut off. */
function recent(history: readonly StoredMessage[], maxChars: number): readonly StoredMessage[] {
  let left = maxChars
  let from = history.length
  while (from > 0 && left >= (history[from - 1] as StoredMessage).content.length) {
    from -= 1
    left -= (history[from] as StoredMessage).content.length
  }
  while (history[from]?.role === "tool") from += 1
  return from === 0 ? history : history.slice(from)
}
