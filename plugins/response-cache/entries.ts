import { type Page, type Queries, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Embedded } from "./embedding.ts"
import type { Entry } from "./shapes.ts"

/** Whose an entry is. */
export interface Owner {
  /** Empty: no agent's. */
  agent: string
  /** Empty: shared. */
  user: string
}
export interface NewEntry extends Owner {
  id: string
  key: string
  provider: string
  model: string
  answer: string
  bytes: number
  savedTokens: number
  ttlSeconds: number
  alike?: { rest: string } & Embedded
}
/** What a list or a purge is about; undefined does not narrow. */
export type Whose = Partial<Owner>

const Found = row(Type.Object({ id: Type.String(), answer: Type.String(), saved_tokens: Type.Integer() }))
const Nothing = row(Type.Object({}))
const EntryRow = row(
  Type.Object({
    id: Type.String(),
    agent: Type.String(),
    user_id: Type.String(),
    provider: Type.String(),
    model: Type.String(),
    bytes: Type.Integer(),
    saved_tokens: Type.Integer(),
    semantic: Type.Boolean(),
    hits: Type.Integer(),
    created_at: Type.String(),
    used_at: Type.String(),
    expires_at: Type.String(),
  }),
)
const within = ({ agent, user }: Whose) =>
  sql.fragment`(${agent ?? null}::text IS NULL OR agent_key = ${agent ?? null}) AND (${user ?? null}::text IS NULL OR user_id = ${user ?? null})`

/** The answer to exactly this, not older than that many seconds. */
export function findExact(db: Queries, { agent, user }: Owner, key: string, maxAge: number) {
  return db.maybeOne(sql.type(Found)`
    SELECT id, answer, saved_tokens FROM response_cache.entries
    WHERE agent_key = ${agent} AND user_id = ${user} AND key = ${key} AND created_at > now() - make_interval(secs => ${maxAge})`)
}

/** The answer to the nearest question, if it is as near as that: what one embedder has made is compared with nothing of another's. */
export function findAlike(db: Queries, { agent, user }: Owner, rest: string, { embedder, dimensions, vector }: Embedded, threshold: number, maxAge: number) {
  return db.maybeOne(sql.type(Found)`
    WITH comparable AS MATERIALIZED (
      SELECT id, question FROM response_cache.entries
      WHERE rest = ${rest} AND agent_key = ${agent} AND user_id = ${user} AND question IS NOT NULL AND embedder = ${embedder} AND dimensions = ${dimensions}
        AND created_at > now() - make_interval(secs => ${maxAge})
    ), nearest AS (SELECT id, question <=> ${vector}::vector AS distance FROM comparable ORDER BY distance LIMIT 1)
    SELECT e.id, e.answer, e.saved_tokens FROM nearest JOIN response_cache.entries e USING (id) WHERE 1 - distance >= ${threshold}::double precision`)
}

/** The latest answer counts. */
export async function keepEntry(db: Queries, { alike, ...entry }: NewEntry): Promise<void> {
  await db.query(sql.type(Nothing)`
    INSERT INTO response_cache.entries (id, agent_key, user_id, key, provider, model, answer, bytes, saved_tokens, rest, embedder, dimensions, question, expires_at)
    VALUES (${entry.id}, ${entry.agent}, ${entry.user}, ${entry.key}, ${entry.provider}, ${entry.model}, ${entry.answer}, ${entry.bytes}, ${entry.savedTokens}, ${alike?.rest ?? null},
      ${alike?.embedder ?? null}, ${alike?.dimensions ?? null}, ${alike?.vector ?? null}::vector, now() + make_interval(secs => ${entry.ttlSeconds}))
    ON CONFLICT (tenant_id, agent_key, user_id, key) DO UPDATE SET
      provider = excluded.provider, model = excluded.model, answer = excluded.answer, bytes = excluded.bytes, saved_tokens = excluded.saved_tokens, rest = excluded.rest,
      embedder = excluded.embedder, dimensions = excluded.dimensions, question = excluded.question, created_at = now(), used_at = now(), expires_at = excluded.expires_at`)
}

export async function sizeOf(db: Queries): Promise<{ entries: number; bytes: number }> {
  return db.one(sql.type(row(Type.Object({ entries: Type.Integer(), bytes: Type.Integer() })))`
    SELECT count(*) AS entries, coalesce(sum(bytes), 0)::bigint AS bytes FROM response_cache.entries`)
}

/** What is beyond the bounds goes, those first that were used longest ago. */
export async function evict(db: Queries, most: { entries: number; bytes: number }): Promise<void> {
  await db.query(sql.type(Nothing)`
    DELETE FROM response_cache.entries WHERE id IN (
      SELECT id FROM (
        SELECT id, row_number() OVER newest AS place, sum(bytes) OVER newest AS total FROM response_cache.entries WINDOW newest AS (ORDER BY used_at DESC, id DESC)
      ) AS placed WHERE place > ${most.entries} OR total > ${most.bytes})`)
}

export async function dropExpired(db: Queries): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM response_cache.entries WHERE expires_at < now()`)
}

export async function purge(db: Queries, whose: Whose): Promise<number> {
  return (await db.query(sql.type(Nothing)`DELETE FROM response_cache.entries WHERE ${within(whose)}`)).rowCount
}

/** The latest used first. */
export async function listEntries(db: Queries, whose: Whose, { limit, offset }: Page): Promise<{ entries: Entry[]; total: number }> {
  const [entries, { total }] = await Promise.all([
    db.any(sql.type(EntryRow)`
      SELECT id, agent_key AS agent, user_id, provider, model, bytes, saved_tokens, question IS NOT NULL AS semantic, hits, created_at, used_at, expires_at
      FROM response_cache.entries WHERE ${within(whose)} ORDER BY used_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`),
    db.one(sql.type(row(Type.Object({ total: Type.Integer() })))`SELECT count(*) AS total FROM response_cache.entries WHERE ${within(whose)}`),
  ])
  return { entries, total }
}
