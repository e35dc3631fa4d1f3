import { type Caller, type Host, seesAll, type Tx } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { type Ending, findRequest, listPending, type RequestRow, settleRequest } from "./requests.ts"
import { deleteRule, insertRule, listRules } from "./rules.ts"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whose requests a caller sees and answers: everybody's for admins and for keys that were made for it, else the caller's own. Null: everybody's. */
function answersFor(caller: Caller): string | null {
  return seesAll(caller) || caller.scopes.includes("operator.approvals") ? null : caller.userId
}

/** What those hear who look at requests, and the node that waits. */
export function tellEnd(tx: Tx, { id, user_id }: RequestRow, status: Ending, always = false): void {
  const decision = status !== "approved" ? "deny" : always ? "allow-always" : "allow-once"
  tx.publish("exec.approval.resolved", { id, decision, status, userId: user_id }, { userId: user_id })
  tx.publish("approvals.decided", { id })
}

export function createDecisions(host: Host<typeof manifest>) {
  const mayAnswer = (caller: Caller, userId: string) => [null, userId].includes(answersFor(caller))

  /** The row if it waits for the caller's word. */
  async function waiting(caller: Caller, id: string): Promise<RequestRow> {
    const request = uuid.test(id) ? await findRequest(host.db.for(caller), id) : null
    if (!request || !mayAnswer(caller, request.user_id)) throw host.fail("unknown_approval", { id: id.slice(0, 100) })
    if (request.status !== "pending") throw host.fail("already_decided", { status: request.status })
    return request
  }

  async function decide(caller: Caller, request: RequestRow, ending: "approved" | "denied", reason: string, also: (tx: Tx) => Promise<boolean>): Promise<void> {
    const { id, run_id, agent_key, tool, hash, user_id } = request
    await host.db.for(caller).transaction(async (tx) => {
      if (!(await settleRequest(tx, id, ending, caller.userId, reason))) throw host.fail("already_decided", { status: (await findRequest(tx, id))?.status ?? "expired" })
      const always = await also(tx)
      tx.audit({
        action: `exec.${ending}`,
        entityType: "exec",
        entityId: id,
        details: { tool, agent: agent_key, run: run_id, user: user_id, hash, ...(always && { always }), ...(reason && { reason }) },
      })
      tellEnd(tx, request, ending, always)
    })
  }

  return {
    list: (caller: Caller, limit: number, offset: number) => listPending(host.db.for(caller), answersFor(caller), limit, offset),

    async approve(caller: Caller, id: string, always: boolean, same: readonly string[] | undefined) {
      const request = await waiting(caller, id)
      const args = JSON.parse(request.arguments) as object
      const unknown = same?.find((name) => !Object.hasOwn(args, name))
      if (unknown !== undefined) throw host.fail("unknown_argument", { name: unknown })
      await decide(caller, request, "approved", "", async (tx) => {
        const { agent_id } = request
        if (!always || agent_id === null) return false
        const rule = await insertRule(tx, { ...request, agent_id }, { userId: answersFor(caller) === null ? null : request.user_id, by: caller.userId }, same)
        if (rule) tx.audit({ action: "exec_rule.created", entityType: "exec_rule", entityId: rule.id, details: { tool: rule.tool, agent: rule.agent_key, exact: rule.exact } })
        return true
      })
      return { resolved: true as const, decision: always && request.agent_id !== null ? ("allow-always" as const) : ("allow-once" as const) }
    },

    async deny(caller: Caller, id: string, reason: string) {
      await decide(caller, await waiting(caller, id), "denied", reason, async () => false)
      return { resolved: true as const, decision: "deny" as const }
    },

    rules: (caller: Caller, limit: number, offset: number) => listRules(host.db.for(caller), answersFor(caller), limit, offset),

    async revoke(caller: Caller, id: string) {
      await host.db.for(caller).transaction(async (tx) => {
        const rule = uuid.test(id) ? await deleteRule(tx, id, answersFor(caller)) : null
        if (!rule) throw host.fail("unknown_rule", { id: id.slice(0, 100) })
        tx.audit({ action: "exec_rule.revoked", entityType: "exec_rule", entityId: rule.id, details: { tool: rule.tool, agent: rule.agent_key } })
      })
      return { revoked: true as const }
    },
  }
}
