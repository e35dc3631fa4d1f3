import type { ConfigDecision, ConfigType } from "@plugboard/sdk"
import type { PermissionRow } from "./store.ts"

interface Asked {
  scope: string
  type: ConfigType
  userId: string
}
type Rule = Pick<PermissionRow, "scope" | "config_type" | "user_id" | "permission">

/** Who says most of the place decides, then of the user, then of the part; of two that say as much, the one that denies. */
export function decide(rules: readonly Rule[], asked: Asked): ConfigDecision {
  let best: { rule: Rule; weight: number } | undefined
  for (const rule of rules) {
    const weight = weightOf(rule, asked)
    if (weight < 0) continue
    if (!best || weight > best.weight || (weight === best.weight && rule.permission === "deny")) best = { rule, weight }
  }
  return best ? { allowed: best.rule.permission === "allow", reason: `${best.rule.permission}:${best.rule.scope}` } : { allowed: false, reason: "no_rule" }
}

/** Below 0: the rule is about something else. */
function weightOf({ scope, config_type, user_id }: Rule, asked: Asked): number {
  const place = scope === asked.scope ? 2 : scope === "group:*" && asked.scope.startsWith("group:") ? 1 : scope === "*" ? 0 : -1
  const user = user_id === asked.userId ? 1 : user_id === "*" ? 0 : -1
  const part = config_type === asked.type ? 1 : config_type === "*" ? 0 : -1
  return Math.min(place, user, part) < 0 ? -1 : place * 4 + user * 2 + part
}
