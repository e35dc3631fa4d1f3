/** SQLSTATE classes of a server that is not there, not ready or too busy. Source: PostgreSQL, appendix A. */
const outageStates = /^(08...|53...|57P0[1-5]|57014|25P03)$/
const outageCodes = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EHOSTUNREACH", "ENOENT"])
const outageNames = new Set([
  "BackendTerminatedError",
  "BackendTerminatedUnexpectedlyError",
  "ConnectionError",
  "IdleTransactionTimeoutError",
  "StatementTimeoutError",
  "StatementCancelledError",
])
const outageTexts = /connection terminated|connection ended|client is (pending )?destroy|pool (has ended|is being)|timeout expired|does not answer|not queryable|database worker/i

/** True when the fault is the database's, not the query's: the caller is told to come back, and nothing of it is an answer to what was asked. */
export function isOutage(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const { code } = at as { code?: unknown }
    if (outageNames.has(at.constructor.name) || (typeof code === "string" && (outageCodes.has(code) || outageStates.test(code))) || outageTexts.test(at.message)) return true
  }
  return false
}
