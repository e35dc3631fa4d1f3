import type { Caller, CallingLlm, Host, KeptAnswer, Tap } from "@plugboard/sdk"
import type { Counts } from "./counts.ts"
import type { createEmbedding, Embedded } from "./embedding.ts"
import { findAlike, findExact, type Owner } from "./entries.ts"
import type { manifest } from "./manifest.ts"
import { type RequestKey, requestKey } from "./request-key.ts"
import type { KnownRules } from "./rules.ts"
import type { Rule } from "./shapes.ts"

/** What comes back with an answer that is to be kept: under which key, and whose it was meant to be. */
export interface Keeping extends Owner {
  by: "response-cache"
  key: string
  provider: string
  model: string
  ttlSeconds: number
  alike?: { rest: string } & Embedded
}

/** Looks for an answer that was given before, to exactly the same and then to a question that means the same. */
export function recallAnswer(host: Host<typeof manifest>, rules: KnownRules, embed: ReturnType<typeof createEmbedding>, counts: Counts): Tap<"llm.calling"> {
  async function find(call: CallingLlm, caller: Caller, owner: Owner, rule: Rule, { key, alike }: RequestKey, embedded: Embedded | undefined): Promise<KeptAnswer | undefined> {
    const db = host.db.for(caller)
    const maxAge = Math.min(rule.ttl_seconds, call.cache?.maxAge ?? rule.ttl_seconds)
    const exact = await findExact(db, owner, key, maxAge)
    const found = exact ?? (alike && embedded ? await findAlike(db, owner, alike.rest, embedded, rule.threshold, maxAge) : null)
    if (found) counts.hit(caller, call.agentKey, found, !exact)
    else counts.miss(caller, call.agentKey)
    return found ? (JSON.parse(found.answer) as KeptAnswer) : undefined
  }

  return async function recall(call, { caller, signal }) {
    if (call.cache?.noStore) return undefined
    const rule = await rules.of(caller, call)
    if (!rule) return undefined
    const asked = requestKey(call, rule.semantic)
    const owner: Owner = { agent: call.agentKey, user: rule.shared ? "" : caller.userId }
    const embedded = asked.alike && (await embed(caller, asked.alike.question, signal))
    const answer = call.cache?.noCache ? undefined : await find(call, caller, owner, rule, asked, embedded)
    if (answer) return { answer }
    const as: Keeping = {
      by: "response-cache",
      ...owner,
      key: asked.key,
      provider: call.provider,
      model: String(call.request?.model ?? call.body?.model ?? ""),
      ttlSeconds: rule.ttl_seconds,
      ...(asked.alike && embedded && { alike: { rest: asked.alike.rest, ...embedded } }),
    }
    return { keep: { as, most: host.config.maxAnswerBytes } }
  }
}
