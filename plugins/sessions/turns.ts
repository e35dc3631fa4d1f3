import { randomUUIDv7 } from "node:crypto"
import {
  type Begun,
  type Caller,
  type Finished,
  type Host,
  jsonText,
  type RunAnswer,
  type RunStatus,
  row,
  type SessionsService,
  type Started,
  type StoredMessage,
  seesAll,
  sql,
  type Turn,
} from "@plugboard/sdk"
import { Type } from "typebox"
import type { manifest } from "./manifest.ts"
import { createTitles, titleOf } from "./title.ts"

const Answer = Type.Object({ answer: Type.Unknown() })

/** The two visits of a turn. What they do stands in migrations/sessions, with why they are functions. */
export function createTurns(host: Host<typeof manifest>): Pick<SessionsService, "begin" | "resume" | "finish" | "injected" | "answer"> {
  const { id: node, boot } = host.node
  const fixed = { node, boot, leaseSeconds: host.config.leaseSeconds, historyLimit: host.config.historyMessages }

  const tellTitle = createTitles(host)

  /** A session as the model is shown it. `opened`: by this turn. */
  function started({ opened, summary, summarizedTo, ...begun }: StartedRow, message: string): Started {
    const truncated = begun.history.length >= fixed.historyLimit
    return { ...begun, ...(summary && { summary }), summarizedTo: summarizedTo ?? 0, truncated, ...(opened && { title: titleOf(message) }) }
  }

  async function answer(caller: Caller, runId: string): Promise<RunAnswer | null> {
    if (!uuid.test(runId)) return null
    const run = await host.db.for(caller).maybeOne(
      sql.type(row(RunRow))`
        SELECT r.id, r.user_id, r.status, r.usage, r.cost_nano_usd, r.attempts, r.error, m.content, m.thinking,
          EXISTS (SELECT FROM sessions.sessions s WHERE s.id = r.session_id AND s.user_id = ${caller.userId}) AS in_own_session FROM sessions.runs r
        LEFT JOIN LATERAL (SELECT content, thinking FROM sessions.messages WHERE session_id = r.session_id AND run_id = r.id AND role = 'assistant' ORDER BY ordinal DESC LIMIT 1) m ON true
        WHERE r.id = ${runId}`,
    )
    // An admin may have started it in the session of another.
    if (!run || (run.user_id !== caller.userId && !run.in_own_session && !seesAll(caller))) return null
    return {
      runId: run.id,
      status: run.status as RunStatus,
      content: run.content ?? "",
      ...(run.thinking !== null && { thinking: run.thinking }),
      ...(run.usage !== null && { usage: run.usage as unknown as RunAnswer["usage"] }),
      costNanoUsd: run.cost_nano_usd,
      ...(run.attempts !== null && { attempts: run.attempts as RunAnswer["attempts"] }),
      ...(run.error !== null && { error: run.error }),
    }
  }

  return {
    answer,
    async begin(caller, turn) {
      const { history, ...rest } = turn
      const given = {
        ...rest,
        ...fixed,
        label: titleOf(turn.message),
        userId: caller.userId,
        seesAll: seesAll(caller),
        sessionId: randomUUIDv7(),
        messageId: randomUUIDv7(),
        ...(history && { history: history.map((message, at) => ({ ...message, id: randomUUIDv7(), place: at + 1 })) }),
      }
      const { answer: begun } = await host.db.for(caller).one(sql.type(row(Answer))`SELECT sessions.begin_turn(${jsonText(given)}::jsonb) AS answer`)
      const outcome = begun as Exclude<Begun, { outcome: "repeated" | "started" }> | StartedRow | { outcome: "repeated"; runId: string }
      if (outcome.outcome === "started") return started(outcome, turn.message)
      if (outcome.outcome !== "repeated") return outcome
      return { ...outcome, answer: (await answer(caller, outcome.runId)) as RunAnswer }
    },
    async resume(caller, runId) {
      const { answer: resumed } = await host.db.for(caller).one(sql.type(row(Answer))`SELECT sessions.resume_turn(${jsonText({ ...fixed, runId })}::jsonb) AS answer`)
      if (!resumed) return null
      const { turn, ...begun } = resumed as StartedRow & { turn: Turn }
      return { ...started(begun, turn.message), turn }
    },
    async finish(caller, { title, ...finish }) {
      const toolCalls = finish.messages.filter(({ role }) => role === "tool").length
      const latest = finish.attempts.findLast(({ purpose, error, usage }) => purpose === undefined && error === undefined && usage)?.usage
      // A provider may say anything; the column has its limits.
      const contextTokens = latest && Math.min(latest.promptTokens + latest.completionTokens, 2_000_000_000)
      const { answer: ended } = await host.db
        .for(caller)
        .one(sql.type(row(Answer))`SELECT sessions.finish_turn(${jsonText({ ...finish, toolCalls, contextTokens, node })}::jsonb) AS answer`)
      const { nextNode, ...finished } = ended as Finished & { nextNode?: string | null }
      if (finished.outcome === "finished" && title) tellTitle(caller, finish.sessionKey, title)
      if (finished.outcome !== "finished" || finished.next === null || nextNode === node) return finished
      // It waits on another node, which hears that its turn has come.
      host.events.publish(caller, "sessions.turn_ready", { runId: finished.next, node: nextNode as string })
      return { ...finished, next: null }
    },
    async injected(caller, runId) {
      const { answer: messages } = await host.db.for(caller).one(sql.type(row(Answer))`SELECT sessions.injected_json(${runId}, '[]') AS answer`)
      return messages as StoredMessage[]
    },
  }
}

type StartedRow = Omit<Started, "summary" | "summarizedTo" | "truncated" | "title"> & { summary?: string | null; summarizedTo?: number | null; opened?: true }
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const Nullable = Type.Union([Type.String(), Type.Null()])
const RunRow = Type.Object({
  id: Type.String(),
  user_id: Type.String(),
  in_own_session: Type.Boolean(),
  status: Type.String(),
  usage: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
  cost_nano_usd: Type.Union([Type.Integer(), Type.Null()]),
  attempts: Type.Union([Type.Array(Type.Unknown()), Type.Null()]),
  error: Nullable,
  content: Nullable,
  thinking: Nullable,
})
