import type { Failure, Host, RunAnswer, Usage } from "@plugboard/sdk"
import { failureOf } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import type { Run } from "./run.ts"

/** How a run ended. `cause`: `error` in the caller's words. */
export type Outcome =
  | { status: "completed"; content: string; thinking: string; usage: Usage; finish: "stop" | "length" | "content_filter" }
  | { status: "failed" | "interrupted"; error: unknown; cause: string; usage: Usage }
  | { status: "cancelled"; usage: Usage }
export type Completed = Extract<Outcome, { status: "completed" }>
export type CutOff = Exclude<Outcome, Completed>

/** Ends in words, and as failures for those who waited for an answer. */
export function createOutcomes(host: Host<typeof manifest>) {
  const cancelled = () => host.fail("run_cancelled", {})
  const interruption = () => host.fail("run_interrupted", {}, { retryAfterMs: 1_000 })

  async function told(run: Run, status: "failed" | "interrupted", error: Failure | unknown): Promise<CutOff> {
    return { status, error, cause: (await host.describe(error, run.caller.locale)) ?? "", usage: run.usage }
  }

  return {
    interrupted: (run: Run) => told(run, "interrupted", interruption()),
    /** What became of a run that `error` has ended; the reason for which it was stopped counts first. */
    async of(run: Run, error: unknown): Promise<CutOff> {
      if (run.endReason === "cancelled") return { status: "cancelled", usage: run.usage }
      if (run.endReason === "interrupted") return told(run, "interrupted", interruption())
      if (run.endReason === "deadline") return told(run, "failed", host.fail("run_timeout", { ms: host.config.runTimeoutMs }))
      if (failureOf(error)) return told(run, "failed", error)
      host.log.error({ err: error, ...run.named }, "run failed")
      return told(run, "failed", host.fail("run_broken", { run: run.id }, { cause: error }))
    },
    /** What to throw for a run without an answer. */
    failureOf: (outcome: CutOff): unknown => (outcome.status === "cancelled" ? cancelled() : outcome.error),
    /** The same for a run that ended earlier, or on another node; `as`: the name of its failure. */
    failureIn({ status, error }: RunAnswer, as: "run_failed" | "run_without_answer" = "run_failed"): Failure {
      if (status === "cancelled") return cancelled()
      return status === "failed" ? host.fail(as, { cause: error ?? status }) : interruption()
    },
  }
}
export type Outcomes = ReturnType<typeof createOutcomes>
