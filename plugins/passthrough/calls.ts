import { jsonText, type Queries, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"

const Nothing = row(Type.Object({}))

export async function insertCalls(db: Queries, rows: readonly object[]): Promise<void> {
  await db.query(sql.type(Nothing)`
    INSERT INTO passthrough.calls (id, user_id, key_id, channel, provider, model, status, usage, error, started_at, duration_ms, cost_nano_usd)
    SELECT id, user_id, key_id, channel, provider, model, status, usage, error, started_at, duration_ms, cost_nano_usd
    FROM jsonb_to_recordset(${jsonText(rows)}::jsonb)
      AS c(id uuid, user_id text, key_id text, channel text, provider text, model text, status text, usage jsonb, error text, started_at timestamptz, duration_ms integer,
        cost_nano_usd bigint)
    ON CONFLICT (id) DO NOTHING`)
}

export async function pruneCalls(db: Queries, keepDays: number): Promise<void> {
  await db.query(sql.type(Nothing)`DELETE FROM passthrough.calls WHERE started_at < now() - make_interval(days => ${keepDays})`)
}
