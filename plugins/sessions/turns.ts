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
  const { leaseSeconds, historyMessages } = host.config

  const tellTitle = createTitles(host)

  /** A session as the model is shown it. `opened`: by this turn. */
  function started({ opened, summary, summarizedTo, ...begun }: StartedRow, title: string): Started {
    const truncated = begun.history.length >= historyMessages
    return { ...begun, ...(summary && { summary }), summarizedTo: summarizedTo ?? 0, truncated, ...(opened && { title }) }
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
      const { runId, sessionKey, agentKey, channel, chatId, parts, history, idempotencyKey, whenBusy } = turn
      const said = storable(turn.message)
      const title = titleOf(said)
      const earlier = history?.map((message, at) => ({ ...message, id: randomUUIDv7(), place: at + 1 }))
      const { answer: begun } = await host.db.for(caller).one(sql.type(row(Answer))`
        SELECT sessions.begin_turn(run => ${runId}, new_session => ${randomUUIDv7()}, key => ${sessionKey}, agent => ${agentKey}, who => ${caller.userId},
          sees_all => ${seesAll(caller)}, via => ${channel}, chat => ${chatId}, title => ${title}, msg => ${randomUUIDv7()}, said => ${said}, with_parts => ${jsonOrNull(parts)},
          idem => ${idempotencyKey ?? null}, when_busy => ${whenBusy}, earlier => ${jsonOrNull(earlier)}, most => ${historyMessages}, on_node => ${node}, on_boot => ${boot},
          lease_seconds => ${leaseSeconds}) AS answer`)
      const outcome = begun as Exclude<Begun, { outcome: "repeated" | "started" }> | StartedRow | { outcome: "repeated"; runId: string }
      if (outcome.outcome === "started") return started(outcome, title)
      if (outcome.outcome !== "repeated") return outcome
      return { ...outcome, answer: (await answer(caller, outcome.runId)) as RunAnswer }
    },
    async resume(caller, runId) {
      const asked = { runId, node, leaseSeconds, historyLimit: historyMessages }
      const { answer: resumed } = await host.db.for(caller).one(sql.type(row(Answer))`SELECT sessions.resume_turn(${jsonText(asked)}::jsonb) AS answer`)
      if (!resumed) return null
      const { turn, ...begun } = resumed as StartedRow & { turn: Turn }
      return { ...started(begun, titleOf(turn.message)), turn }
    },
    async finish(caller, { runId, sessionKey, status, messages, consumed, provider, model, usage, costNanoUsd, attempts, title, error }) {
      const toolCalls = messages.filter(({ role }) => role === "tool").length
      const latest = attempts.findLast((attempt) => attempt.purpose === undefined && attempt.error === undefined && attempt.usage)?.usage
      // A provider may say anything; the column has its limits.
      const contextTokens = latest ? Math.min(latest.promptTokens + latest.completionTokens, 2_000_000_000) : null
      const { answer: ended } = await host.db.for(caller).one(sql.type(row(Answer))`
        SELECT sessions.finish_turn(run => ${runId}, on_node => ${node}, ended => ${status}, by_provider => ${provider}, by_model => ${model}, used => ${jsonText(usage)},
          cost => ${costNanoUsd}, tried => ${jsonText(attempts)}, called => ${toolCalls}, shown => ${contextTokens}, cause => ${error === undefined ? null : storable(error)},
          made => ${jsonText(messages)}, consumed => ${jsonText(consumed)}) AS answer`)
      const { nextNode, ...finished } = ended as Finished & { nextNode?: string | null }
      if (finished.outcome === "finished" && title) tellTitle(caller, sessionKey, title)
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

/** PostgreSQL keeps no NUL. What a plugin has made of a message, or a provider has said, shall not be lost for one. */
function storable(text: string): string {
  return text.replaceAll("\0", "\ufffd")
}

function jsonOrNull(value: object | undefined): string | null {
  return value ? jsonText(value) : null
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
