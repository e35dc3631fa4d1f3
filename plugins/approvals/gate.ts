import { randomUUIDv7 } from "node:crypto"
import { Agents, type Caller, type Failure, type Host, type Tap, type ToolVerdict } from "@plugboard/sdk"
import { commandOf, shownCommand } from "./command.ts"
import { tellEnd } from "./decisions.ts"
import type { manifest } from "./manifest.ts"
import { expiryOf, wordFor } from "./policy.ts"
import { type Ending, expireOfRun, findRequest, insertRequest, type RequestRow, settleRequest } from "./requests.ts"
import { isApproved } from "./rules.ts"
import { createWakes } from "./wakes.ts"
import { wireRequest } from "./wire.ts"

/** Holds a risky call back until somebody has answered, its time is up, or its run has ended. */
export function createGate(host: Host<typeof manifest>) {
  const agents = host.use(Agents)
  const wakes = createWakes(host)

  /** What the model is told instead of a result. */
  async function refusal(caller: Caller, failure: Failure): Promise<ToolVerdict> {
    return { allow: false, reason: (await host.describe(failure, caller.locale)) ?? "" }
  }

  async function settle(caller: Caller, id: string, ending: Ending): Promise<void> {
    await host.db.for(caller).transaction(async (tx) => {
      const settled = await settleRequest(tx, id, ending, null, "", true)
      if (settled) tellEnd(tx, settled, ending)
    })
  }

  /** The row once it is decided. Null: nobody can say, since the database has been away until the time was up. */
  async function decided(caller: Caller, request: RequestRow, expirySeconds: number, signal: AbortSignal): Promise<RequestRow | null> {
    const deadline = performance.now() + expirySeconds * 1_000
    for (;;) {
      const left = deadline - performance.now()
      try {
        if (left <= 0) await settle(caller, request.id, "expired")
        const row = await findRequest(host.db.for(caller), request.id)
        // Its time is up by the database's clock.
        if (row?.status === "expired") await settle(caller, request.id, "expired")
        if (row && row.status !== "pending") return row
      } catch (err) {
        host.log.debug({ err, approval: request.id }, "an approval could not be read; it is tried again until its time is up")
      }
      if (left <= 0) return null
      await wakes.next(request.id, left, signal)
    }
  }

  const awaitApproval: Tap<"tool.calling"> = async function awaitApproval({ runId, agentKey, sessionKey, call, risk }, { caller, signal }) {
    // Its settings hold whoever uses it, also for one that this user may only reach through another agent.
    const agent = await agents.resolve({ ...caller, role: "admin" }, agentKey)
    const word = wordFor(host.config, agent, call.name, risk)
    if (word === "allow") return undefined
    if (word === "deny") return refusal(caller, host.fail("not_allowed", { tool: call.name }))
    const { maxChars, maxPending } = host.config
    const command = commandOf(call.name, call.arguments)
    if (!command || shownCommand(call.name, command.arguments).length > maxChars) return refusal(caller, host.fail("too_long", { maxChars }))
    const isSame = () => commandOf(call.name, call.arguments)?.hash === command.hash
    if (agent && (await isApproved(host.db.for(caller), agent.id, caller.userId, call.name, call.arguments, command))) {
      return isSame() ? undefined : refusal(caller, host.fail("changed", {}))
    }
    const expirySeconds = expiryOf(agent, host.config.expirySeconds)
    const id = randomUUIDv7()
    const leave = wakes.expect(id)
    try {
      const request = await host.db.for(caller).transaction(async (tx) => {
        const inserted = await insertRequest(
          tx,
          {
            id,
            run_id: runId,
            session_key: sessionKey,
            agent_id: agent?.id ?? null,
            agent_key: agentKey,
            user_id: caller.userId,
            tool: call.name,
            risk,
            ...command,
            expirySeconds,
          },
          maxPending,
        )
        if (inserted) tx.publish("exec.approval.requested", wireRequest(inserted), { userId: caller.userId })
        return inserted
      })
      if (!request) return refusal(caller, host.fail("too_many", { maxPending }))
      const answer = await decided(caller, request, expirySeconds, signal)
      // What was approved is what the row holds, and nothing else may run on the strength of it.
      if (answer?.status === "approved") return answer.hash === command.hash && isSame() ? undefined : refusal(caller, host.fail("changed", {}))
      if (answer?.status !== "denied") return refusal(caller, host.fail("expired", { seconds: expirySeconds }))
      const by = answer.decided_by ?? ""
      return refusal(caller, answer.reason ? host.fail("denied_because", { by, reason: answer.reason }) : host.fail("denied", { by }))
    } catch (error) {
      if (!signal.aborted) throw error
      await settle(caller, id, "cancelled").catch((err: unknown) => host.log.warn({ err, approval: id }, "end of an approval not stored"))
      throw host.fail("run_ended", {})
    } finally {
      leave()
    }
  }

  /** A run of a gateway that is gone: nobody waits for the answer any more. */
  function forget(tenantId: string, runId: string): void {
    const caller: Caller = { tenantId, tenantSlug: "", userId: "system", role: "owner", scopes: [], locale: "en", via: "system" }
    host.db
      .for(caller)
      .transaction(async (tx) => {
        for (const request of (await expireOfRun(tx, runId)).rows) tellEnd(tx, request, "expired")
      })
      .catch((err: unknown) => host.log.warn({ err, run: runId }, "approvals of an interrupted run not ended; they expire by themselves"))
  }

  host.events.subscribe("sessions.interrupted", ({ runId }: { runId: string }, { tenantId }) => forget(tenantId, runId))
  return awaitApproval
}
