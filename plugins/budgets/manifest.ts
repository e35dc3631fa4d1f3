import { Agents, Budgets, defineManifest, Keys, PageQuery } from "@plugboard/sdk"
import { Type } from "typebox"
import { BudgetChange, NewBudget, Spender, WireBudget } from "./wire.ts"

export const Config = Type.Object(
  {
    assumedOutputTokens: Type.Integer({
      default: 4_096,
      minimum: 1,
      maximum: 1_000_000,
      description: "Set aside for the answer of a call that does not limit it; and again, each time that a stream grows beyond.",
    }),
    unpricedModels: Type.Enum(["refuse", "allow"], {
      default: "refuse",
      description: "Calls of a model without a price, where a hard budget in money holds. Allowed, they count as nothing.",
    }),
    leaseSeconds: Type.Integer({ default: 30, minimum: 3, maximum: 600, description: "How long after its gateway died a call is settled." }),
    keepDays: Type.Integer({ default: 400, minimum: 1, maximum: 3_650, description: "How long it is kept what was spent in a period." }),
  },
  { additionalProperties: false },
)

const tags = ["Budgets"]
const Id = Type.Object({ id: Type.String() })
const Deleted = Type.Object({ status: Type.Literal("deleted") })
const paging = { total: Type.Integer(), limit: Type.Integer(), offset: Type.Integer() }
const Page = Type.Object({ budgets: Type.Array(WireBudget), ...paging })
const Spending = Type.Object({ period_start: Type.String(), period_end: Type.String(), spending: Type.Array(Spender), ...paging })
const Mine = Type.Object({
  budgets: Type.Array(Type.Omit(WireBudget, ["subject", "agent_key", "of_agent", "time_zone", "warn_percent", "enabled", "created_by", "created_at", "updated_at"])),
})
const Paged = { limit: Type.Optional(Type.Integer()), offset: Type.Optional(Type.Integer()) }
const Full = Type.Object({ scope: Type.String(), period: Type.String(), most: Type.String(), spent: Type.String(), until: Type.String() })
const quota = { type: "insufficient_quota", code: "insufficient_quota" }

export const manifest = defineManifest({
  id: "budgets",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Limits in money and tokens for a tenant, its agents, users and API keys, held before each model call on every node.",
  requires: [Agents, Keys],
  after: ["prices"],
  offers: [Budgets],
  capabilities: { db: true },
  config: Config,
  routes: {
    list: {
      method: "GET",
      path: "/v1/budgets",
      role: "admin",
      summary: "Budgets, with what is spent of each in its period",
      tags,
      query: PageQuery,
      reply: Page,
      alsoAs: "payload",
    },
    mine: { method: "GET", path: "/v1/budgets/mine", role: "viewer", summary: "Budgets that hold for whoever asks", tags, reply: Mine },
    create: { method: "POST", path: "/v1/budgets", role: "admin", summary: "Set a budget", tags, status: 201, body: NewBudget, reply: WireBudget },
    get: { method: "GET", path: "/v1/budgets/:id", role: "admin", summary: "Show a budget", tags, params: Id, reply: WireBudget },
    spending: {
      method: "GET",
      path: "/v1/budgets/:id/spending",
      role: "admin",
      summary: "Whom a budget counts, and what each has spent",
      tags,
      params: Id,
      query: PageQuery,
      reply: Spending,
      alsoAs: "payload",
    },
    update: { method: "PUT", path: "/v1/budgets/:id", role: "admin", summary: "Change a budget", tags, params: Id, body: BudgetChange, reply: WireBudget },
    remove: { method: "DELETE", path: "/v1/budgets/:id", role: "admin", summary: "Remove a budget", tags, params: Id, reply: Deleted },
  },
  rpc: {
    "budgets.list": { role: "admin", summary: "Budgets, with what is spent of each in its period", params: Type.Object(Paged), result: Page },
    "budgets.mine": { role: "viewer", summary: "Budgets that hold for whoever asks", result: Mine },
    "budgets.get": { role: "admin", summary: "Show a budget", params: Id, result: WireBudget },
    "budgets.spending": { role: "admin", summary: "Whom a budget counts, and what each has spent", params: Type.Object({ ...Id.properties, ...Paged }), result: Spending },
    "budgets.create": { role: "admin", summary: "Set a budget", params: NewBudget, result: WireBudget },
    "budgets.update": { role: "admin", summary: "Change a budget", params: Type.Object({ ...Id.properties, ...BudgetChange.properties }), result: WireBudget, order: "id" },
    "budgets.delete": { role: "admin", summary: "Remove a budget", params: Id, result: Deleted, order: "id" },
  },
  events: {
    "budgets.changed": { payload: Type.Object({}), to: "internal" },
    "budgets.warned": {
      payload: Type.Object({
        budgetId: Type.String(),
        name: Type.String(),
        scope: Type.String(),
        subject: Type.String(),
        period: Type.String(),
        periodStart: Type.String(),
        periodEnd: Type.String(),
        enforcement: Type.String(),
        percent: Type.Integer(),
      }),
      to: "admins",
    },
  },
  jobs: { prune: { data: Type.Object({}), cron: "17 4 * * *" } },
  errors: {
    used_up: { kind: "RESOURCE_EXHAUSTED", params: Full, openai: quota },
    all_reserved: { kind: "RESOURCE_EXHAUSTED", params: Full, openai: { type: "rate_limit_error", code: "rate_limit_exceeded" } },
    no_price: { kind: "UNPROCESSABLE", params: Type.Object({ model: Type.String() }), openai: quota },
    unknown_budget: { kind: "NOT_FOUND", params: Type.Object({ budget: Type.String() }) },
    unknown_subject: { kind: "NOT_FOUND", params: Type.Object({ scope: Type.String(), subject: Type.String() }) },
    bad_subject: { kind: "INVALID_REQUEST", params: Type.Object({ scope: Type.String() }) },
    one_limit: { kind: "INVALID_REQUEST" },
    other_unit: { kind: "INVALID_REQUEST", params: Type.Object({ unit: Type.String() }) },
    bad_time_zone: { kind: "INVALID_REQUEST", params: Type.Object({ zone: Type.String() }) },
    too_many_budgets: { kind: "FAILED_PRECONDITION", params: Type.Object({ most: Type.Integer() }) },
  },
})
