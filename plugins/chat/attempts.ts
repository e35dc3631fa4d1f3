import { type Attempt, failureOf, type RunAttempt, type Usage } from "@plugboard/sdk"
import type { Run } from "./run.ts"

/** More than this a run makes only when nearly all of them fail; its record says so by its length. */
const mostKept = 200
const reasonChars = 300

/** The attempt that answers, in the record of its run. */
export interface Answering {
  readonly attempt: RunAttempt
  /** With what it cost; an error when it broke off. */
  end(usage: Usage, error?: unknown): void
}

/** An attempt of another plugin for the sake of this run. */
export function keepWhole(run: Run, attempt: RunAttempt): void {
  if (run.attempts.length < mostKept) run.attempts.push(attempt)
  if (attempt.usage) run.spend(attempt.provider, attempt.model, attempt.usage)
}

/** Writes an attempt into the record of its run, and what it cost into the run's usage. */
export function keepAttempt(run: Run, iteration: number, attempt: Attempt): Answering {
  const kept: RunAttempt = { ...attempt, iteration, ...(attempt.reason !== undefined && { reason: attempt.reason.slice(0, reasonChars) }) }
  if (run.attempts.length < mostKept) run.attempts.push(kept)
  if (attempt.usage) run.spend(attempt.provider, attempt.model, attempt.usage)
  const since = performance.now()
  if (attempt.error === undefined) {
    kept.firstTokenMs = attempt.ms
    run.answeredBy = { provider: attempt.provider, model: attempt.model }
  }
  return {
    attempt: kept,
    end(usage, error) {
      kept.ms += Math.round(performance.now() - since)
      kept.usage = usage
      run.spend(kept.provider, kept.model, usage)
      const name = failureOf(error)?.name
      if (error !== undefined) kept.error = run.signal.aborted ? "aborted" : (name?.slice(name.indexOf(".") + 1) ?? "broken")
    },
  }
}
