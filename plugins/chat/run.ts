import { randomUUIDv7 } from "node:crypto"
import {
  type AgentProfile,
  addUsage,
  type CacheWish,
  type Caller,
  type ModelMessage,
  type NewMessage,
  noUsage,
  type PlacedMessage,
  type RunAttempt,
  type RunOrigin,
  type Spent,
  type Started,
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
  /** No plugin adds to the prompt. */
  light?: boolean
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
  /** What the model is shown: behind the summary of all that came before, if there is one. */
  readonly conversation: PlacedMessage[] = []
  summary = ""
  /** Ordinal of the last message that the summary covers. */
  summarizedTo = 0
  /** There are messages that are neither in the conversation nor in the summary. */
  truncated = false
  /** A provider found the conversation too long, and it was made shorter. */
  refitted = false
  /** Of a session that this run has opened. */
  title: string | undefined
  /** Text and thinking of the model call under way. */
  text = ""
  thinking = ""
  usage: Usage = noUsage
  /** Budgets near their end, in a few words. */
  nearBudgets = ""
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
  seat({ ordinal, history, summary = "", summarizedTo, truncated, title }: Started, maxChars: number): void {
    this.#ordinal = ordinal
    this.title = title
    if (!this.request.fresh) {
      const kept = recent(history, maxChars, truncated)
      this.summary = summary
      this.summarizedTo = summarizedTo
      this.truncated = truncated || kept.length < history.length
      this.conversation.push(...kept.map(placed))
    }
    const { message, parts } = this.request.turn
    this.conversation.push({ ordinal, message: { role: "user", content: parts ?? message } })
  }

  /** Will be stored with the end. The model is shown it too, in its own form. */
  keep(message: Omit<NewMessage, "id" | "ordinal">, shown?: ModelMessage): void {
    this.#ordinal += 1
    this.made.push({ ...message, id: randomUUIDv7(), ordinal: this.#ordinal })
    if (shown) this.conversation.push({ ordinal: this.#ordinal, message: shown })
  }

  consume(message: StoredMessage): void {
    this.#ordinal += 1
    this.consumed.push({ id: message.id, ordinal: this.#ordinal })
    this.conversation.push({ ...placed(message), ordinal: this.#ordinal })
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

function placed({ ordinal, role, content, parts, thinking, toolCalls, toolCallId, isError }: StoredMessage): PlacedMessage {
  const message: ModelMessage = {
    role,
    content: parts ?? content,
    ...(thinking && { thinking }),
    ...(toolCalls && { toolCalls }),
    ...(toolCallId !== undefined && { toolCallId }),
    ...(isError && { isError }),
  }
  return { ordinal, message }
}

/** The end of the history that fits. Where more was cut off, by its reader or here, it begins with a user's message: a tool's result needs its call, and some models a user before them. */
function recent(history: readonly StoredMessage[], maxChars: number, cut: boolean): readonly StoredMessage[] {
  let left = maxChars
  let from = history.length
  while (from > 0 && left >= (history[from - 1] as StoredMessage).content.length) {
    from -= 1
    left -= (history[from] as StoredMessage).content.length
  }
  if (cut || from > 0) while (from < history.length && history[from]?.role !== "user") from += 1
  return from === 0 ? history : history.slice(from)
}
