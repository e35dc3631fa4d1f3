import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"
import type { AgentProfile } from "./agents.ts"
import type { Spent } from "./prices.ts"

/** The agent that makes a call, and its own budget: USD cents a month, if it has one. */
export type SpendingAgent = Pick<AgentProfile, "id" | "key" | "budgetMonthlyCents">

/** One model call that is about to be made. */
export interface SpendingCall {
  /** Undefined for a call that no agent makes. */
  agent?: SpendingAgent
  provider: string
  model: string
  /** No fewer than the provider will count. */
  promptTokens: number
  /** As the call limits its answers; undefined: it does not. */
  maxTokens?: number
}

/** What is set aside for a call. */
export interface Reservation {
  id: string
  /** Of the answer; for more of it ask again. */
  outputTokens: number
  /** A hard budget holds, and the call does not limit its answer. One that comes whole cannot be cut off, and may be no longer than this: ask for a stream, or have the provider limit it. */
  bound?: number
  /** Budgets that have reached their warning, in a few words each, such as `tenant month 82%`. */
  near: string[]
}

/**
 * Budgets in tokens and money, held before each model call on every node: what a call may use is set aside, and what it did use is settled at its end.
 * Most callers want `holdBudget`.
 */
export interface BudgetsService {
  /** False: none holds for such a call, and there is nothing to set aside. Cached. */
  hold(caller: Caller, agent?: SpendingAgent): Promise<boolean>
  /** Null: none holds. Rejects with `budgets.used_up`, `budgets.all_reserved` or `budgets.no_price`. */
  reserve(caller: Caller, call: SpendingCall): Promise<Reservation | null>
  /** The answer has grown to so many tokens, beyond what was set aside; answers how long it may be now. Rejects as `reserve` does. */
  extend(caller: Caller, id: string, outputTokens: number): Promise<number>
  /** The call is over, however it ended. Once for each reservation. */
  settle(caller: Caller, id: string, spent: readonly Spent[]): Promise<void>
}
export const Budgets = service<BudgetsService>("budgets", "1.1.0")
