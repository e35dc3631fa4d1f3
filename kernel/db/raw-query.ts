import { type Query, sql } from "@plugboard/sdk"

/** SQL that is text already: the job queue writes its own, and so do plugins in a sandbox, whose texts have passed the gate. */
export function rawQuery(text: string, values: readonly unknown[] = []): Query<Record<string, unknown>> {
  return { ...sql.unsafe``, sql: text, values } as unknown as Query<Record<string, unknown>>
}
