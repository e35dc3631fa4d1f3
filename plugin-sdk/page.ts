import { type Static, Type } from "typebox"

/** Query of a paged list. Texts, because what is not a number means the default instead of an error. Source: wire contract, http-core 1.5. */
export const PageQuery = Type.Object({
  limit: Type.Optional(Type.String({ description: "Rows at most; too many, or not a number, gives the list's own limit." })),
  offset: Type.Optional(Type.String({ description: "Rows to skip; not a number gives 0." })),
})

export interface Page {
  limit: number
  offset: number
}

/**
 * The page that is served: `usual` rows when none or nonsense is asked for, never more than `most`.
 * @example pageOf({ limit: "5000" }, 1000)   // { limit: 1000, offset: 0 }
 */
export function pageOf(query: Static<typeof PageQuery>, most: number, usual: number = most): Page {
  const limit = Math.trunc(Number(query.limit))
  const offset = Math.trunc(Number(query.offset))
  return { limit: limit > 0 ? Math.min(limit, most) : usual, offset: offset >= 0 && Number.isSafeInteger(offset) ? offset : 0 }
}
