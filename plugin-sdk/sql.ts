import { createRequire } from "node:module"
import { createSqlTag, type QuerySqlToken, type SqlTag } from "@slonik/sql-tag"
import type { Static, TSchema } from "typebox"

/** The only way to write SQL: values become parameters, never text. */
export const sql: SqlTag<Record<never, never>> = createSqlTag()

/**
 * A value as the text of a `::jsonb` parameter. A NUL or half of a surrogate pair, which PostgreSQL refuses, becomes U+FFFD: what a model, a tool or another server has said shall not be lost for it.
 * @example sql.type(row(Term))`INSERT INTO glossary.terms (data) VALUES (${jsonText(data)}::jsonb)`
 */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value)
  // As escapes they stand in no other text than such a one, or one that holds a backslash before the letters.
  return text.includes("\\u0000") || text.includes("\\ud") ? text.replace(/(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f]..)/g, "$1\ufffd") : text
}

type Query<T> = QuerySqlToken<StandardRow<T>>

export type { Query }

/** A row's shape as slonik wants it (Standard Schema), around a TypeBox schema. */
export interface StandardRow<T> {
  readonly "~standard": {
    readonly version: 1
    readonly vendor: "plugboard"
    readonly validate: (value: unknown) => { readonly value: T } | { readonly issues: readonly { readonly message: string }[] }
    readonly types?: { readonly input: T; readonly output: T }
  }
}

type Compiler = typeof import("typebox/compile")
/** Not imported: it is half of TypeBox, and of the modules that a gateway loads until it listens. */
const require = createRequire(import.meta.url)

const rows = new WeakMap<TSchema, StandardRow<unknown>>()

/**
 * One schema language for rows and wire. Rows are checked in tests only (the database layer asks for it there), so the check is compiled when first used.
 * @example db.any(sql.type(row(Type.Object({ id: Type.String() })))`SELECT id FROM glossary.terms LIMIT 10`)
 */
export function row<S extends TSchema>(schema: S): StandardRow<Static<S>> {
  const known = rows.get(schema)
  if (known) return known as StandardRow<Static<S>>
  let check: ReturnType<Compiler["Compile"]> | undefined
  const made: StandardRow<Static<S>> = {
    "~standard": {
      version: 1,
      vendor: "plugboard",
      validate(value) {
        check ??= (require("typebox/compile") as Compiler).Compile(schema)
        if (check.Check(value)) return { value: value as Static<S> }
        return { issues: check.Errors(value).map((error) => ({ message: `${error.instancePath || "/"} ${error.message}` })) }
      },
    },
  }
  rows.set(schema, made)
  return made
}
