import type { ParsedUrlQuery } from "node:querystring"
import type { TObject } from "typebox"
import { compileValidator } from "../validate.ts"

interface Member {
  type?: string
  minimum?: number
  maximum?: number
}

/**
 * Checks what arrives as texts by name: a query, or the fields of a form. A name that is repeated gives a list where the schema has one, else its last value.
 * `limit` and `offset` are never an error: nonsense gives their default, too much the most. Source: wire contract, http-core 1.5.
 */
export function textsChecker(schema: TObject, where: string): (texts: ParsedUrlQuery) => unknown {
  const members = schema.properties as Record<string, Member>
  const validate = compileValidator(schema, "query")
  return function checkTexts(texts) {
    const values: Record<string, unknown> = {}
    for (const [name, text] of Object.entries(texts)) {
      const member = Object.hasOwn(members, name) ? members[name] : undefined
      if (member?.type === "array") values[name] = [text].flat()
      else {
        const value = Array.isArray(text) ? text.at(-1) : text
        const paging = name === "limit" || name === "offset"
        if (paging && (member?.type === "integer" || member?.type === "number")) values[name] = pageNumber(value, member, name === "limit" ? 1 : 0)
        else if (!paging || !value?.includes("\0")) values[name] = value
      }
    }
    return validate(values, where)
  }
}

/** Undefined where the default is to be taken. */
function pageNumber(text: string | undefined, { minimum, maximum }: Member, least: number): number | undefined {
  const number = text ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(number) || number < (minimum ?? least)) return undefined
  return maximum === undefined ? number : Math.min(number, maximum)
}
