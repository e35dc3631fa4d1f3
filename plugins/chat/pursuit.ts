import { setTimeout as sleep } from "node:timers/promises"
import type { Caller, RunAnswer, SessionActivity } from "@plugboard/sdk"
import { toldUsage } from "./ending.ts"
import type { Run } from "./run.ts"
import type { RunEvent } from "./run-log.ts"

type Tell = (type: string, payload: Readonly<Record<string, unknown>> | undefined, seq?: number) => void

/** How often the stored events of a run on another node are looked at, in ms; they are written as often. */
const lookMs = 150
const eventsAtOnce = 1_000

/** What is stored of runs under way on other nodes, and of those that have ended. */
export interface StoredRuns {
  read(caller: Caller, runId: string, from: number, limit: number): Promise<RunEvent[]>
  answer(caller: Caller, runId: string): Promise<RunAnswer | null>
}

/** A run of this node, to its end: straight from its log. */
export async function pursueHere(run: Run, tell: Tell, signal: AbortSignal): Promise<void> {
  for await (const batch of run.log.read()) {
    if (signal.aborted) return
    for (const { type, payload, seq } of batch) tell(type, payload, seq)
  }
}

/**
 * A run of another node, to its end: from the events that are stored while it is under way. Those of its last moments, and all of a short one, are gone with its end;
 * what they said is told from its answer then. `caller`: somebody who may read it.
 */
export async function pursueElsewhere(stored: StoredRuns, caller: Caller, { runId }: Pick<SessionActivity, "runId">, tell: Tell, signal: AbortSignal): Promise<void> {
  let next = 0
  /** Text since the last call of tools. */
  let said = ""
  let told = false
  const take = ({ type, payload, seq }: RunEvent) => {
    next = seq + 1
    if (type === "chunk") said += payload?.content as string
    if (type === "tool.result" || type === "block.reply") said = ""
    told ||= type.startsWith("run.") && type !== "run.started" && type !== "run.retrying"
    tell(type, payload, seq)
  }
  while (!signal.aborted) {
    // Looked at before the events: those of a run that goes on at this moment are all to come.
    const answer = await stored.answer(caller, runId)
    const events = await stored.read(caller, runId, next, eventsAtOnce)
    for (const event of events) take(event)
    if (told || answer === null) return
    if (answer.status !== "running" && answer.status !== "queued") {
      if (next === 0) tell("run.started", { message: "" })
      return end(answer, said, tell)
    }
    if (events.length < eventsAtOnce) await sleep(lookMs, undefined, { signal }).catch(() => undefined)
  }
}

/** Streamed text adds up to the answer. Source: wire contract, websocket 5.1. */
function end({ status, content, thinking, usage, error }: RunAnswer, said: string, tell: Tell): void {
  if (status === "cancelled") tell("run.cancelled", undefined)
  else if (status !== "completed") tell("run.failed", { error: error ?? status })
  else {
    if (content.startsWith(said) && content.length > said.length) tell("chunk", { content: content.slice(said.length) })
    tell("run.completed", { content, ...(thinking && { thinking }), ...(usage && { usage: toldUsage(usage) }) })
  }
}
