import { type Static, Type } from "typebox"

const Count = Type.Integer()
const Time = Type.String({ format: "date-time" })

export const Stats = Type.Object({
  entries: Count,
  bytes: Count,
  days: Type.Integer({ description: "What the counts below are of." }),
  hits: Count,
  semantic_hits: Type.Integer({ description: "Part of hits: questions that only mean the same." }),
  misses: Count,
  saved_tokens: Count,
})
export type Stats = Static<typeof Stats>

const Entry = Type.Object({
  id: Type.String(),
  agent: Type.String({ description: "Empty: a call without an agent." }),
  user_id: Type.String({ description: "Empty: shared by the users of its agent." }),
  provider: Type.String(),
  model: Type.String(),
  bytes: Count,
  saved_tokens: Type.Integer({ description: "By each hit." }),
  semantic: Type.Boolean({ description: "Found by a question that means the same, too." }),
  hits: Count,
  created_at: Time,
  used_at: Time,
  expires_at: Time,
})
export type Entry = Static<typeof Entry>
export const Entries = Type.Object({ entries: Type.Array(Entry), total: Count, limit: Count, offset: Count })

const rule = {
  enabled: Type.Boolean(),
  ttl_seconds: Type.Integer({ minimum: 1, maximum: 31_536_000 }),
  shared: Type.Boolean({ description: "True: users get each other's answers. False: each user has only their own." }),
  semantic: Type.Boolean({ description: "True: also for a last question that means the same, when all else is equal." }),
  threshold: Type.Number({ minimum: 0.5, maximum: 1, description: "Cosine similarity from which questions mean the same." }),
}
export const Rule = Type.Object({ subject: Type.String(), ...rule, updated_at: Time })
export type Rule = Static<typeof Rule>
export const Rules = Type.Object({ rules: Type.Array(Rule), total: Count })
/** What is left out stays; of a new rule: enabled, the plugin's time, neither shared nor semantic, 0.95. */
export const RuleChange = Type.Object({
  enabled: Type.Optional(rule.enabled),
  ttl_seconds: Type.Optional(rule.ttl_seconds),
  shared: Type.Optional(rule.shared),
  semantic: Type.Optional(rule.semantic),
  threshold: Type.Optional(rule.threshold),
})
export type RuleChange = Static<typeof RuleChange>
