/** SQLSTATE of a server that is not there, not ready, too busy, or that does not let us in; and of a conflict that another attempt does not meet. Source: PostgreSQL, appendix A. */
const outageStates = /^(08...|28...|3D000|53...|57P0[1-5]|57014|25P0[34]|40001|40P01|55P03|26000)$/
const outageCodes = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ENOENT"])
const outageNames = new Set([
  "BackendTerminatedError",
  "BackendTerminatedUnexpectedlyError",
  "ConnectionError",
  "IdleTransactionTimeoutError",
  "StatementTimeoutError",
  "StatementCancelledError",
])
const outageTexts =
  /connection terminated|connection ended|client (is|was) (pending )?(destroy|closed)|pool (has ended|is being|has been shut)|timeout expired|not queryable|database worker|cached plan must not change/i

/** True when a fault is the database's, not the query's: the caller is told to come back, and nothing of it is an answer to what was asked. */
export function isOutage(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const { code } = at as { code?: unknown }
    if (outageNames.has(at.constructor.name) || (typeof code === "string" && (outageCodes.has(code) || outageStates.test(code))) || outageTexts.test(at.message)) return true
  }
  return false
}
