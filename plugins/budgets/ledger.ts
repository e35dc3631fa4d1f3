import { type Caller, type Host, jsonText, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Applying } from "./applying.ts"
import { TenantTurns } from "./in-turns.ts"
import type { manifest } from "./manifest.ts"

/** What a call sets aside of one budget. */
export interface Hold {
  budget: string
  subject: string
  /** The period, RFC 3339. */
  starts: string
  ends: string
  unit: "usd" | "tokens"
  amount: number
  most: number
  hard: boolean
  warnAt: number
}
interface Asked {
  id: string
  holds: readonly Hold[]
}
/** `near`: budgets that have reached their warning. Otherwise the one that has no room. */
export type Answer = { near: { budget: string; spent: number }[] } | { budget: string; spent: number }

interface Ended {
  id: string
  tokens: number
  /** Null: nobody knows. */
  nano: number | null
  /** Those that it was set aside in. */
  budgets: readonly Applying[]
}

const Answers = Type.Object({ answers: Type.Array(Type.Unknown()) })
const Warned = Type.Object({ budget_id: Type.String(), subject: Type.String(), spent: Type.Integer() })
const atOnce = 200

/** The budgets' books, in the database: the same for every node. `warn` hears of each budget that reaches its warning, once a period. */
export function createLedger(host: Host<typeof manifest>, boot: string, warn: (caller: Caller, budget: Applying, spent: number) => void) {
  const fixed = { node: host.node.id, boot, leaseSeconds: host.config.leaseSeconds }

  const reserving = new TenantTurns<Asked, Answer>(atOnce, async (tenantId, calls) => {
    const given = calls.map((call) => ({ ...call, ...fixed }))
    const { answers } = await host.db.for(callerIn(tenantId)).one(sql.type(row(Answers))`SELECT budgets.reserve(${jsonText(given)}::jsonb) AS answers`)
    return answers as Answer[]
  })
  const settling = new TenantTurns<Ended, undefined>(atOnce, async (tenantId, calls) => {
    const caller = callerIn(tenantId)
    const given = calls.map(({ id, tokens, nano }) => ({ id, tokens, nano }))
    const warned = await host.db.for(caller).any(sql.type(row(Warned))`SELECT budget_id, subject, spent FROM budgets.settle(${jsonText(given)}::jsonb) LIMIT 1000`)
    for (const { budget_id, subject, spent } of warned) {
      const budget = calls.flatMap(({ budgets }) => budgets).find((one) => one.id === budget_id && one.subject === subject)
      if (budget) warn(caller, budget, spent)
    }
    return calls.map(() => undefined)
  })

  return {
    reserve: (caller: Caller, asked: Asked) => reserving.add(caller.tenantId, asked),
    settle: (caller: Caller, ended: Ended) => settling.add(caller.tenantId, ended),
  }
}
export type Ledger = ReturnType<typeof createLedger>

/** The books are the tenant's; who asks for a line in them does not matter. */
function callerIn(tenantId: string): Caller {
  return { tenantId, tenantSlug: "", userId: "system", role: "owner", scopes: [], locale: "en", via: "system" }
}
