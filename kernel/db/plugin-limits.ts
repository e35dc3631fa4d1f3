/** What statements of one sandboxed plugin may take. Times in milliseconds. */
export interface PluginLimits {
  /** One statement. */
  statementMs: number
  /** Waiting for a lock. */
  lockMs: number
  /** A transaction, from its beginning on; a statement that is under way then may end. */
  transactionMs: number
  /** A transaction between two statements. */
  idleMs: number
  /** Transactions at once, and as many statements outside of any. */
  atOnce: number
  /** One answer. */
  rows: number
  bytes: number
}

const answer = { rows: 10_000, bytes: 8 << 20 }

/** On a server a plugin has connections of its own, and holds up itself. */
export const serverLimits: PluginLimits = { ...answer, statementMs: 5_000, lockMs: 2_000, transactionMs: 5_000, idleMs: 1_000, atOnce: 2 }

/** The embedded database has one connection, and everybody waits for it: a plugin may hold it for `transactionMs + statementMs` at most, which is less than others are ready to wait. */
export const embeddedLimits: PluginLimits = { ...answer, statementMs: 2_000, lockMs: 1_000, transactionMs: 1_000, idleMs: 250, atOnce: 1 }
