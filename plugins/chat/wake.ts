import { randomBytes } from "node:crypto"
import { type Caller, failureOf, type Host, type RunsService, reply, seesAll } from "@plugboard/sdk"
import type { Engine } from "./engine.ts"
import type { manifest } from "./manifest.ts"
import type { Outcomes } from "./outcome.ts"
import { meantAgent, usageOf } from "./send.ts"

export interface WakeBody {
  message?: string
  session_key?: string
  user_id?: string
}

/** What an agent hears when it is woken without a message, as today's command-line client does. */
const bareWake = "You were woken. Look at what is open for you and do what can be done now. Answer NO_REPLY when there is nothing."

/** One turn from outside, such as another system's webhook. With a message it answers when the run has ended; without one at once. */
export function createWake(host: Host<typeof manifest>, { runs, engine, outcomes }: { runs: RunsService; engine: Engine; outcomes: Outcomes }) {
  /** A key with an owner acts for its owner alone. Source: wire contract, http-core 5. */
  const actingFor = (caller: Caller, userId: string | undefined): Caller =>
    userId && !caller.userFixed && (seesAll(caller) || caller.via === "key") ? { ...caller, userId } : caller

  return async function wake(ref: string, body: WakeBody, given: Caller, idempotencyKey: string | undefined, signal: AbortSignal) {
    const caller = actingFor(given, body.user_id)
    const agent = await meantAgent(host, caller, ref, undefined)
    const message = body.message?.trim() ? body.message : undefined
    const { runId } = await runs.start(caller, {
      agent: agent.key,
      sessionKey: body.session_key || `agent:${agent.key}:wake-${randomBytes(4).toString("hex")}`,
      channel: "wake",
      chatId: "api",
      message: message ?? bareWake,
      ...(idempotencyKey && { idempotencyKey: idempotencyKey.slice(0, 255) }),
    })
    const headers = { "x-run-id": runId }
    if (message === undefined) return reply.json({ ok: true as const, content: "", run_id: runId, status: "started" as const }, { headers })
    const run = engine.get(runId)
    const answer = await runs.ended(caller, runId, signal)
    const outcome = await (answer?.status === "failed" ? run?.done : undefined)
    // What went wrong in a run of this node has a status of its own: a provider's, too slow, or used up. Source: wire contract, http-core 3.
    if (outcome?.status === "failed" && (failureOf(outcome.error)?.kind ?? "INTERNAL") !== "INTERNAL") throw outcome.error
    if (answer?.status !== "completed") throw outcomes.failureIn(answer ?? { runId, status: "interrupted", content: "", costNanoUsd: null }, "run_without_answer")
    return reply.json({ content: answer.content, run_id: runId, ...(answer.usage && { usage: usageOf(answer.usage) }) }, { headers })
  }
}
