import { type Caller, type Host, jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { manifest } from "./manifest.ts"
import type { Stats } from "./shapes.ts"

const everyMs = 500
const Nothing = row(Type.Object({}))

interface Tally {
  agent_key: string
  hits: number
  semantic_hits: number
  misses: number
  saved_tokens: number
}
interface Waiting {
  caller: Caller
  tallies: Map<string, Tally>
  /** Entries that were used, and how often. */
  used: Map<string, number>
}

/** Hits and misses, written in batches behind the answers. */
export function createCounts(host: Host<typeof manifest>) {
  let waiting = new Map<string, Waiting>()
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()

  async function flush(): Promise<void> {
    const tenants = waiting
    waiting = new Map()
    for (const { caller, tallies, used } of tenants.values()) {
      try {
        await write(host.db.for(caller), [...tallies.values()], [...used])
      } catch (err) {
        host.log.warn({ err }, "hits of the response cache not counted")
      }
    }
  }

  function arm(): void {
    timer ??= setTimeout(() => {
      timer = undefined
      writing = flush().finally(() => waiting.size > 0 && arm())
    }, everyMs)
    timer.unref()
  }

  function tallyOf(caller: Caller, agent: string): { tally: Tally; used: Map<string, number> } {
    const tenant = waiting.get(caller.tenantId) ?? { caller, tallies: new Map(), used: new Map() }
    waiting.set(caller.tenantId, tenant)
    const tally = tenant.tallies.get(agent) ?? { agent_key: agent, hits: 0, semantic_hits: 0, misses: 0, saved_tokens: 0 }
    tenant.tallies.set(agent, tally)
    arm()
    return { tally, used: tenant.used }
  }

  return {
    hit(caller: Caller, agent: string, entry: { id: string; saved_tokens: number }, isSemantic: boolean): void {
      const { tally, used } = tallyOf(caller, agent)
      tally.hits += 1
      tally.semantic_hits += isSemantic ? 1 : 0
      tally.saved_tokens += entry.saved_tokens
      used.set(entry.id, (used.get(entry.id) ?? 0) + 1)
    },
    miss(caller: Caller, agent: string): void {
      tallyOf(caller, agent).tally.misses += 1
    },
    async stop(): Promise<void> {
      clearTimeout(timer)
      await writing
      await flush()
    },
  }
}
export type Counts = ReturnType<typeof createCounts>

async function write(db: Queries, tallies: readonly Tally[], used: readonly (readonly [string, number])[]): Promise<void> {
  await db.query(sql.type(Nothing)`
    WITH counted AS (
      INSERT INTO response_cache.days AS d (day, agent_key, hits, semantic_hits, misses, saved_tokens)
      SELECT current_date, agent_key, hits, semantic_hits, misses, saved_tokens
      FROM jsonb_to_recordset(${jsonText(tallies)}::jsonb) AS t(agent_key text, hits bigint, semantic_hits bigint, misses bigint, saved_tokens bigint)
      ON CONFLICT (tenant_id, day, agent_key) DO UPDATE SET
        hits = d.hits + excluded.hits, semantic_hits = d.semantic_hits + excluded.semantic_hits, misses = d.misses + excluded.misses, saved_tokens = d.saved_tokens + excluded.saved_tokens
    )
    UPDATE response_cache.entries SET hits = entries.hits + u.hits, used_at = now()
    FROM jsonb_to_recordset(${jsonText(used.map(([id, hits]) => ({ id, hits })))}::jsonb) AS u(id uuid, hits integer) WHERE entries.id = u.id`)
}

export function countsOf(db: Queries, days: number): Promise<Stats> {
  const Counted = row(
    Type.Object({
      entries: Type.Integer(),
      bytes: Type.Integer(),
      days: Type.Integer(),
      hits: Type.Integer(),
      semantic_hits: Type.Integer(),
      misses: Type.Integer(),
      saved_tokens: Type.Integer(),
    }),
  )
  return db.one(sql.type(Counted)`
    SELECT e.entries, e.bytes, ${days}::integer AS days, coalesce(sum(d.hits), 0)::bigint AS hits, coalesce(sum(d.semantic_hits), 0)::bigint AS semantic_hits,
      coalesce(sum(d.misses), 0)::bigint AS misses, coalesce(sum(d.saved_tokens), 0)::bigint AS saved_tokens
    FROM (SELECT count(*) AS entries, coalesce(sum(bytes), 0)::bigint AS bytes FROM response_cache.entries) AS e
      LEFT JOIN response_cache.days d ON d.day > current_date - ${days}::integer
    GROUP BY e.entries, e.bytes`)
}

export async function pruneCounts(db: Queries, keepDays: number): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM response_cache.days WHERE day < current_date - ${keepDays}::integer`)
}
