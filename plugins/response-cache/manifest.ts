import { AgentParts, defineManifest, Embedders, PageQuery, Providers } from "@plugboard/sdk"
import { Type } from "typebox"
import { Entries, Rule, RuleChange, Rules, Stats } from "./shapes.ts"

const tags = ["Response cache"]
const Subject = Type.Object({
  subject: Type.String({
    maxLength: 210,
    pattern: "^(agents|providers|agent:.+|provider:.+)$",
    description: "agents, agent:KEY, providers or provider:NAME; the narrower one counts.",
  }),
})
const Whose = {
  agent: Type.Optional(Type.String({ maxLength: 100, description: "Only of the agent with this key; empty: of calls without an agent." })),
  user: Type.Optional(Type.String({ maxLength: 255, description: "Only of this user, for admins; below admin it is always the caller." })),
}
const Days = Type.Object({ days: Type.Optional(Type.String({ maxLength: 10, description: "How far the counts go back; 30 when left out, 365 at most." })) })
const Removed = Type.Object({ ok: Type.Literal(true), removed: Type.Integer() })
const Ok = Type.Object({ ok: Type.Literal(true) })
const Paged = Type.Object({ limit: Type.Optional(Type.Integer()), offset: Type.Optional(Type.Integer()) })

export const manifest = defineManifest({
  id: "response-cache",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Answers of models that are given again to whoever asks the same; off until a rule switches it on.",
  requires: [Providers],
  opens: [Embedders],
  contributes: [AgentParts],
  capabilities: { db: true },
  config: Type.Object(
    {
      ttlSeconds: Type.Integer({ default: 3_600, minimum: 1, maximum: 31_536_000, description: "How long an answer is kept, where its rule says nothing." }),
      maxAnswerBytes: Type.Integer({ default: 262_144, minimum: 1_000, maximum: 16_777_216, description: "A larger answer is not kept." }),
      maxEntries: Type.Integer({
        default: 10_000,
        minimum: 10,
        maximum: 1_000_000,
        description: "Answers that are kept for one tenant; those that were used longest ago go first.",
      }),
      maxBytes: Type.Integer({ default: 67_108_864, minimum: 1_000, description: "Their size together." }),
      embedder: Type.String({
        default: "",
        maxLength: 300,
        description: "Makes vectors of questions: the id of an embedder, or PROVIDER/MODEL. Empty: the first embedder that a plugin brings.",
      }),
      questionChars: Type.Integer({ default: 2_000, minimum: 1, maximum: 100_000, description: "A longer question is not compared by its meaning." }),
      keepDays: Type.Integer({ default: 90, minimum: 1, maximum: 3_650, description: "How long the counts of a day are kept." }),
    },
    { additionalProperties: false },
  ),
  hooks: { "llm.calling": { phase: "cache", timeoutMs: 2_000 }, "llm.called": { phase: "keep", timeoutMs: 2_000 } },
  routes: {
    stats: { method: "GET", path: "/v1/response-cache", role: "viewer", summary: "What the response cache holds and saves", tags, query: Days, reply: Stats },
    list: {
      method: "GET",
      path: "/v1/response-cache/entries",
      role: "viewer",
      summary: "List kept answers without what they say, the latest used first",
      tags,
      query: Type.Object({ ...PageQuery.properties, ...Whose }),
      reply: Entries,
    },
    purge: {
      method: "DELETE",
      path: "/v1/response-cache/entries",
      role: "operator",
      summary: "Forget kept answers: all, of an agent, or of a user",
      tags,
      query: Type.Object(Whose),
      reply: Removed,
    },
    rules: { method: "GET", path: "/v1/response-cache/rules", role: "viewer", summary: "List whose answers are kept", tags, query: PageQuery, reply: Rules },
    setRule: {
      method: "PUT",
      path: "/v1/response-cache/rules/:subject",
      role: "admin",
      summary: "Say whether and how answers are kept for agents or providers",
      tags,
      params: Subject,
      body: RuleChange,
      reply: Rule,
    },
    removeRule: { method: "DELETE", path: "/v1/response-cache/rules/:subject", role: "admin", summary: "Remove a rule", tags, params: Subject, reply: Ok },
  },
  rpc: {
    "response_cache.stats": {
      role: "viewer",
      summary: "What the response cache holds and saves",
      params: Type.Object({ days: Type.Optional(Type.Integer({ minimum: 1, maximum: 365 })) }),
      result: Stats,
    },
    "response_cache.list": {
      role: "viewer",
      summary: "Kept answers without what they say, the latest used first",
      params: Type.Object({ ...Paged.properties, ...Whose }),
      result: Entries,
    },
    "response_cache.purge": { role: "operator", summary: "Forget kept answers: all, of an agent, or of a user", params: Type.Object(Whose), result: Removed },
    "response_cache.rules.list": { role: "viewer", summary: "Whose answers are kept", params: Paged, result: Rules },
    "response_cache.rules.set": {
      role: "admin",
      summary: "Say whether and how answers are kept for agents or providers",
      params: Type.Object({ ...Subject.properties, ...RuleChange.properties }),
      result: Rule,
    },
    "response_cache.rules.delete": { role: "admin", summary: "Remove a rule", params: Subject, result: Ok },
  },
  events: { "response_cache.rules_changed": { payload: Type.Object({}), to: "internal" } },
  jobs: { prune: { data: Type.Object({}), cron: "23 * * * *" } },
  errors: { unknown_rule: { kind: "NOT_FOUND", params: Type.Object({ subject: Type.String() }) } },
})
