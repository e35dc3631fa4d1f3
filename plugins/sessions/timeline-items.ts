import type { RunAttempt } from "@plugboard/sdk"
import type { Static } from "typebox"
import type { Step, TimedRun } from "./timeline-store.ts"
import type { TimelineItem } from "./timeline-wire.ts"

type Item = Static<typeof TimelineItem>

/** An item before its texts are read. `from`: the message that has them, and the call in it when it is of one. */
export interface Draft extends Pick<Item, "item_type" | "status" | "title" | "tool_name" | "tool_call_id" | "metadata" | "created_at"> {
  text?: string
  from?: { message: string; call?: string }
}

/** What a run did, in order, from what is stored of it: nothing is written for the sake of a timeline. */
export function draftsOf(run: TimedRun, steps: readonly Step[]): Draft[] {
  const [asked, ...made] = steps
  const started: Draft = {
    item_type: "run.status",
    status: "started",
    title: "Run started",
    metadata: { event_type: "run.started", agent_key: run.agent_key },
    created_at: run.created_at,
    ...(asked && { from: { message: asked.id } }),
  }
  const results = new Map(made.flatMap((step) => (step.tool_call_id === null ? [] : [[step.tool_call_id, step] as const])))
  const names = new Map(made.flatMap(({ calls }) => calls ?? []).map(({ id, name }) => [id, name]))
  const attempts = [...(run.attempts ?? [])]

  /** Those that led to the next answer; without one, all that are left. */
  function upToAnswer(at: string): { failed: Draft[]; answered: RunAttempt | undefined } {
    const end = attempts.findIndex(({ error, purpose }) => error === undefined && purpose === undefined)
    const tried = attempts.splice(0, end === -1 ? attempts.length : end + 1)
    const answered = end === -1 ? undefined : tried.pop()
    return { failed: tried.map((attempt) => attemptDraft(run, attempt, at)), answered }
  }

  const drafts = made.flatMap((step): Draft[] => {
    const base = { created_at: step.created_at, from: { message: step.id } }
    if (step.role === "tool") {
      const name = names.get(step.tool_call_id ?? "") ?? ""
      return [
        {
          ...base,
          item_type: "tool.result",
          status: step.is_error ? "failed" : "completed",
          title: `Result of ${name}`,
          tool_name: name,
          tool_call_id: step.tool_call_id ?? "",
          metadata: { event_type: "tool.result", agent_key: run.agent_key },
        },
      ]
    }
    if (step.role === "user") {
      const metadata = { event_type: "activity", phase: "injected_message", agent_key: run.agent_key }
      return [{ ...base, item_type: "activity", status: "completed", title: "Message came in", metadata }]
    }
    const { failed, answered } = upToAnswer(step.created_at)
    const by = answered && { provider: answered.provider, model: answered.model, ms: answered.ms, ...(answered.usage && { usage: answered.usage }) }
    const said: Draft = { ...base, item_type: "assistant.message", status: "completed", title: "Answer", metadata: { event_type: "block.reply", agent_key: run.agent_key, ...by } }
    const calls = (step.calls ?? []).map((call): Draft => {
      const result = results.get(call.id)
      return {
        created_at: step.created_at,
        from: { message: step.id, call: call.id },
        item_type: "tool.call",
        status: result === undefined ? "running" : result.is_error ? "failed" : "completed",
        title: `Call of ${call.name}`,
        tool_name: call.name,
        tool_call_id: call.id,
        metadata: { event_type: "tool.call", agent_key: run.agent_key },
      }
    })
    return [...failed, ...(step.said ? [said] : []), ...calls]
  })
  const rest = upToAnswer(run.finished_at ?? run.created_at).failed
  return [started, ...drafts, ...rest, ...endOf(run)]
}

function attemptDraft(run: TimedRun, attempt: RunAttempt, at: string): Draft {
  const { provider, model, ms, error, reason, usage, purpose } = attempt
  const summary = purpose === "summary"
  return {
    item_type: "activity",
    status: error === undefined ? "completed" : "failed",
    title: summary ? "Earlier messages summarized" : `No answer from ${provider}`,
    metadata: {
      ...(summary ? { event_type: "activity", phase: "compacting" } : { event_type: "run.retrying" }),
      agent_key: run.agent_key,
      provider,
      model,
      ms,
      ...(error !== undefined && { error }),
      ...(usage && { usage }),
    },
    created_at: at,
    text: reason ?? error ?? "",
  }
}

/** Nothing while it goes on. */
function endOf({ status, error, finished_at, agent_key, provider, model, usage }: TimedRun): Draft[] {
  if (finished_at === null) return []
  const ended = status === "completed" || status === "cancelled" ? status : "failed"
  const metadata = { event_type: `run.${ended}`, agent_key, provider, model, ...(usage && { usage }), ...(status === "interrupted" && { interrupted: true }) }
  return [{ item_type: "run.status", status: ended, title: `Run ${ended}`, metadata, created_at: finished_at, text: error ?? "" }]
}
