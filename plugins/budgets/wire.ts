import { oneGiven, usdOf } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import type { Span } from "./period.ts"
import type { BudgetRow, Standing } from "./store.ts"

const Scope = Type.Enum(["tenant", "agent", "user", "key"])
const Usd = (description: string) => Type.Number({ minimum: 0, maximum: 9_000_000, description })
const Tokens = (description: string) => Type.Integer({ minimum: 0, maximum: 9_000_000_000_000, description })
const Name = Type.String({ maxLength: 200, description: "For people." })
const Enforcement = Type.Enum(["hard", "soft"], { description: "`hard`: calls over the limit are refused. `soft`: they are only told of." })
const WarnPercent = Type.Integer({ minimum: 1, maximum: 100, description: "So much of the limit is worth a warning, once a period." })
const limits = {
  limit_usd: Type.Optional(Usd("USD in a period; this or `limit_tokens`.")),
  limit_tokens: Type.Optional(Tokens("Tokens in a period, of requests and answers together; this or `limit_usd`.")),
}
const changeable = {
  name: Type.Optional(Name),
  ...limits,
  enforcement: Type.Optional(Enforcement),
  warn_percent: Type.Optional(WarnPercent),
  enabled: Type.Optional(Type.Boolean()),
}

export const NewBudget = Type.Object(
  {
    scope: Scope,
    subject: Type.Optional(
      Type.String({ maxLength: 255, description: "Whom: an agent's key or id, a user, the id of an API key; `*`: each of them by itself. None for the tenant." }),
    ),
    period: Type.Enum(["day", "month"], { description: "Of the calendar." }),
    time_zone: Type.Optional(Type.String({ maxLength: 64, description: "Where a period begins at midnight; UTC when left out." })),
    ...changeable,
  },
  {
    documented: {
      allOf: [
        oneGiven("limit_usd", "limit_tokens"),
        {
          anyOf: [
            { properties: { scope: { enum: ["tenant"] }, subject: { type: "string", nullable: true, pattern: "^\\s*$" } } },
            { required: ["subject"], properties: { scope: { enum: ["agent", "user", "key"] }, subject: { type: "string", pattern: "\\S" } } },
          ],
        },
      ],
    },
    examples: [{ scope: "tenant", period: "month", limit_usd: 100, enforcement: "soft" }],
  },
)
export const BudgetChange = Type.Object(changeable, {
  documented: { not: { required: Object.keys(limits), properties: { limit_usd: { type: "number" }, limit_tokens: { type: "number" } } } },
})

const Amounts = {
  spent_usd: Type.Optional(Type.Number()),
  reserved_usd: Type.Optional(Type.Number({ description: "Set aside for calls under way." })),
  remaining_usd: Type.Optional(Type.Number()),
  spent_tokens: Type.Optional(Type.Integer()),
  reserved_tokens: Type.Optional(Type.Integer()),
  remaining_tokens: Type.Optional(Type.Integer()),
}
export const WireBudget = Type.Object({
  id: Type.String(),
  name: Type.String(),
  scope: Scope,
  subject: Type.String(),
  agent_key: Type.Optional(Type.String()),
  of_agent: Type.Boolean({ description: "True: it is the agent's `budget_monthly_cents`, and is changed there." }),
  period: Type.String(),
  time_zone: Type.String(),
  period_start: Type.String(),
  period_end: Type.String(),
  limit_usd: Type.Optional(Type.Number()),
  limit_tokens: Type.Optional(Type.Integer()),
  ...Amounts,
  enforcement: Enforcement,
  warn_percent: Type.Integer(),
  enabled: Type.Boolean(),
  created_by: Type.Optional(Type.String()),
  created_at: Type.Optional(Type.String()),
  updated_at: Type.Optional(Type.String()),
})
export type WireBudget = Static<typeof WireBudget>
export const Spender = Type.Object({ subject: Type.String(), ...Amounts })

export type Shown = Pick<BudgetRow, "id" | "name" | "scope" | "subject" | "period" | "time_zone" | "unit" | "most" | "enforcement" | "warn_percent"> &
  Partial<Pick<BudgetRow, "enabled" | "created_by" | "created_at" | "updated_at">>

/** `standing`: null for a budget that counts each of its subjects by itself. */
export function wireBudget(budget: Shown, span: Span, standing: Pick<Standing, "spent" | "reserved"> | null, more: { agentKey?: string; ofAgent?: boolean }): WireBudget {
  const { id, name, scope, subject, period, time_zone, unit, most, enforcement, warn_percent, enabled = true, created_by, created_at, updated_at } = budget
  return {
    id,
    name,
    scope,
    subject,
    ...(more.agentKey !== undefined && { agent_key: more.agentKey }),
    of_agent: more.ofAgent ?? false,
    period,
    time_zone,
    period_start: span.starts,
    period_end: span.ends,
    ...(unit === "usd" ? { limit_usd: usdOf(most) } : { limit_tokens: most }),
    ...(standing && amounts(unit, most, standing)),
    enforcement,
    warn_percent,
    enabled,
    ...(created_at !== undefined && { created_by, created_at, updated_at }),
  }
}

export function amounts(unit: BudgetRow["unit"], most: number, { spent, reserved }: Pick<Standing, "spent" | "reserved">) {
  const remaining = Math.max(most - spent, 0)
  return unit === "usd"
    ? { spent_usd: usdOf(spent), reserved_usd: usdOf(reserved), remaining_usd: usdOf(remaining) }
    : { spent_tokens: spent, reserved_tokens: reserved, remaining_tokens: remaining }
}
