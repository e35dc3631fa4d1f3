import { randomUUIDv7 } from "node:crypto"
import {
  type Attempt,
  addUsage,
  type BudgetHold,
  type Caller,
  estimateUsage,
  type FinishedRun,
  failureOf,
  type Host,
  type KeptAnswer,
  type ModelMessage,
  type ModelTarget,
  noUsage,
  Prices,
  type Spent,
  savedUsage,
  type Usage,
} from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

/** Between two writes. One that finds none under way and none just done goes at once: what is not written yet is lost when the process is killed. */
const everyMs = 50
/** The same, while the database does not answer. */
const againMs = 500
const atOnce = 1_000
/** More than this waits only while the database does not answer; then the oldest go. */
const most = 20_000

type Row = { id: string; user_id: string; key_id: string | undefined; started_at: string; duration_ms: number; cost_nano_usd: number | null } & Pick<
  FinishedRun,
  "channel" | "provider" | "model" | "status" | "usage" | "error"
>
/** What is known of a call at its end. */
type Facts = Omit<FinishedRun, "costNanoUsd">

/** Records of calls, in batches behind the answers: a call waits for no database. */
export function createCallRecords(host: Host<typeof manifest>, write: (caller: Caller, rows: readonly object[]) => Promise<void>) {
  let waiting: { caller: Caller; row: Row }[] = []
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()
  let nextAt = Number.NEGATIVE_INFINITY
  /** Ended, and on their way to those that wait. */
  const ending = new Set<Promise<void>>()

  async function flush(): Promise<void> {
    let pauseMs = everyMs
    const tenants = Map.groupBy(waiting.splice(0, atOnce), ({ caller }) => caller.tenantId)
    for (const entries of tenants.values()) {
      const { caller } = entries[0] as { caller: Caller }
      try {
        await write(
          caller,
          entries.map(({ row }) => row),
        )
      } catch (err) {
        waiting = [...entries, ...waiting].slice(-most)
        host.log.warn({ err, waiting: waiting.length }, "calls not recorded yet")
        pauseMs = againMs
      }
    }
    nextAt = performance.now() + pauseMs
  }

  function arm(): void {
    timer ??= setTimeout(
      () => {
        writing = flush().finally(() => {
          timer = undefined
          if (waiting.length > 0) arm()
        })
      },
      Math.max(0, nextAt - performance.now()),
    )
    timer.unref()
  }

  async function costOf(caller: Caller, spent: readonly Spent[]): Promise<number | null> {
    if (!host.has(Prices)) return null
    return host
      .use(Prices)
      .cost(caller, spent)
      .catch((err: unknown) => {
        host.log.warn({ err }, "cost of a call not known")
        return null
      })
  }

  function end(caller: Caller, facts: Facts, spent: readonly Spent[]): void {
    const kept = costOf(caller, spent).then((costNanoUsd) => keep(caller, { ...facts, costNanoUsd }))
    ending.add(kept)
    void kept.finally(() => ending.delete(kept))
  }

  function keep(caller: Caller, facts: FinishedRun): void {
    const { runId: id, channel, provider, model, status, usage, error, startedAt, durationMs, costNanoUsd } = facts
    const row = { id, user_id: caller.userId, key_id: caller.keyId, channel, provider, model, status, usage, error, started_at: startedAt, duration_ms: durationMs }
    waiting.push({ caller, row: { ...row, cost_nano_usd: costNanoUsd } })
    arm()
    if (!host.hooks.tapped("run.finished", caller)) return
    host.hooks
      .call("run.finished", facts, { caller, signal: AbortSignal.timeout(60_000) })
      .catch((err: unknown) => host.log.warn({ err, run: id, tenant: caller.tenantId }, "run.finished failed"))
  }

  return {
    open: (caller: Caller, target: ModelTarget, channel: string, asked: () => readonly ModelMessage[]) =>
      new CallRecord(target, channel, asked, (facts, spent) => end(caller, facts, spent)),
    async stop(): Promise<void> {
      await Promise.all(ending)
      clearTimeout(timer)
      await writing
      while (waiting.length > 0) {
        const before = waiting.length
        await flush()
        if (waiting.length >= before) return
      }
    },
  }
}

/** What is known of a call while it is under way; its record when it ends. */
export class CallRecord {
  readonly id = randomUUIDv7()
  readonly #startedAt = new Date()
  readonly #began = performance.now()
  /** Whom it was meant for, then who answers. */
  target: ModelTarget
  /** What attempts cost that gave no answer. */
  readonly #lost: Spent[] = []
  #isAnswered = false
  #saved = noUsage
  readonly #channel: string
  readonly #asked: () => readonly ModelMessage[]
  readonly #keep: (facts: Facts, spent: readonly Spent[]) => void
  usage: Usage | undefined
  /** Of a stream: about as many as tokens. */
  events = 0
  /** What is set aside for it. */
  hold: BudgetHold | undefined
  /** The provider's status, when it gave no answer. */
  refusedWith: number | undefined

  /** `asked`: for a provider that is left, or breaks off, before it tells its usage. */
  constructor(target: ModelTarget, channel: string, asked: () => readonly ModelMessage[], keep: (facts: Facts, spent: readonly Spent[]) => void) {
    this.target = target
    this.#channel = channel
    this.#asked = asked
    this.#keep = keep
  }

  /** One attempt of the call: it may cost something without an answer, and the one that answers says whose call it was. */
  tried({ provider, model, error, usage }: Attempt): void {
    this.#isAnswered = error === undefined
    if (this.#isAnswered) this.target = { provider, model }
    if (usage) this.#lost.push({ provider, model, usage })
  }

  /** Nobody is asked: it is an answer that was given before. */
  repeat({ provider, model, usage }: KeptAnswer): void {
    this.target = { provider, model }
    this.#saved = savedUsage(usage)
  }

  /** What it has used by now, attempt by attempt. */
  get spent(): readonly Spent[] {
    const usage = this.usage ?? (this.#isAnswered ? estimateUsage(this.#asked(), this.events * 4) : undefined)
    return usage ? [...this.#lost, { ...this.target, usage }] : this.#lost
  }

  end(outcome: "completed" | "cancelled" | { error: unknown }): void {
    const failed = typeof outcome === "object"
    const refused = this.refusedWith !== undefined
    const error = this.refusedWith !== undefined ? `status ${this.refusedWith}` : failed ? (failureOf(outcome.error)?.name ?? "unexpected") : undefined
    const facts: Facts = {
      runId: this.id,
      agentKey: "",
      sessionKey: "",
      channel: this.#channel,
      status: failed || refused ? "failed" : outcome,
      ...this.target,
      usage: this.spent.reduce((sum, { usage }) => addUsage(sum, usage), this.#saved),
      startedAt: this.#startedAt.toISOString(),
      durationMs: Math.round(performance.now() - this.#began),
      ...(error !== undefined && { error }),
    }
    this.hold?.settle(this.spent)
    this.#keep(facts, this.spent)
  }
}
