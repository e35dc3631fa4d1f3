import { type Caller, type CallingLlm, type Host, type Page, type Queries, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { manifest } from "./manifest.ts"
import { Rule, type RuleChange } from "./shapes.ts"

const columns = sql.fragment`subject, enabled, ttl_seconds, shared, semantic, threshold, updated_at`
/** More than these are not looked at: narrower rules than one for each agent and provider say little. */
const most = 1_000
const Count = row(Type.Object({ count: Type.Integer() }))

/** Whose answers are kept. Known by heart, so that a call without a rule costs no statement. */
export function createRules(host: Host<typeof manifest>) {
  const known = host.cache<ReadonlyMap<string, Rule>>({
    max: 1_000,
    ttlMs: 300_000,
    changedBy: ["response_cache.rules_changed"],
    async load(caller) {
      const rules = await listRules(host.db.for(caller), { limit: most, offset: 0 })
      return new Map(rules.map((rule) => [rule.subject, rule]))
    },
  })

  return {
    /** The narrower one; undefined when nothing is kept. */
    async of(caller: Caller, { agentKey, provider }: CallingLlm): Promise<Rule | undefined> {
      const rules = await known.get(caller, "")
      if (rules.size === 0) return undefined
      const rule = agentKey === "" ? (rules.get(`provider:${provider}`) ?? rules.get("providers")) : (rules.get(`agent:${agentKey}`) ?? rules.get("agents"))
      return rule?.enabled ? rule : undefined
    },
    async list(caller: Caller, page: Page) {
      const db = host.db.for(caller)
      const [rules, { count }] = await Promise.all([listRules(db, page), db.one(sql.type(Count)`SELECT count(*) AS count FROM response_cache.rules`)])
      return { rules, total: count }
    },
    set: (caller: Caller, subject: string, change: RuleChange): Promise<Rule> =>
      host.db.for(caller).transaction(async (tx) => {
        const rule = await setRule(tx, subject, change, host.config.ttlSeconds)
        tx.audit({ action: "response_cache.rule_set", entityType: "response_cache_rule", entityId: subject, details: { ...change } })
        tx.publish("response_cache.rules_changed", {})
        return rule
      }),
    remove: (caller: Caller, subject: string): Promise<{ ok: true }> =>
      host.db.for(caller).transaction(async (tx) => {
        if (!(await deleteRule(tx, subject))) throw host.fail("unknown_rule", { subject })
        tx.audit({ action: "response_cache.rule_removed", entityType: "response_cache_rule", entityId: subject })
        tx.publish("response_cache.rules_changed", {})
        return { ok: true }
      }),
    /** An agent is gone. */
    async forget(caller: Caller, agentKey: string): Promise<void> {
      await host.db.for(caller).transaction(async (tx) => {
        if (await deleteRule(tx, `agent:${agentKey}`)) tx.publish("response_cache.rules_changed", {})
      })
    },
  }
}
export type KnownRules = ReturnType<typeof createRules>

function listRules(db: Queries, { limit, offset }: Page) {
  return db.any(sql.type(row(Rule))`SELECT ${columns} FROM response_cache.rules ORDER BY subject LIMIT ${limit} OFFSET ${offset}`)
}

function setRule(db: Queries, subject: string, { enabled, ttl_seconds, shared, semantic, threshold }: RuleChange, ttlSeconds: number) {
  return db.one(sql.type(row(Rule))`
    INSERT INTO response_cache.rules AS r (subject, enabled, ttl_seconds, shared, semantic, threshold)
    VALUES (${subject}, ${enabled ?? true}, ${ttl_seconds ?? ttlSeconds}, ${shared ?? false}, ${semantic ?? false}, ${threshold ?? 0.95})
    ON CONFLICT (tenant_id, subject) DO UPDATE SET
      enabled = coalesce(${enabled ?? null}, r.enabled), ttl_seconds = coalesce(${ttl_seconds ?? null}, r.ttl_seconds), shared = coalesce(${shared ?? null}, r.shared),
      semantic = coalesce(${semantic ?? null}, r.semantic), threshold = coalesce(${threshold ?? null}::double precision, r.threshold), updated_at = now()
    RETURNING ${columns}`)
}

async function deleteRule(db: Queries, subject: string): Promise<boolean> {
  const { rowCount } = await db.query(sql.type(row(Type.Object({})))`DELETE FROM response_cache.rules WHERE subject = ${subject}`)
  return rowCount > 0
}
