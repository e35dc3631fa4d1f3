import { type Locale, locales } from "@plugboard/sdk"

const known: ReadonlySet<string> = new Set(locales)

/**
 * The first listed tag whose primary language has texts; `en` when there is none. Takes an Accept-Language header or the `locale` of `connect` alike.
 * q-values are not weighed. Source: wire contract, http-core 1.1.
 */
export function localeOf(tags: unknown): Locale {
  if (typeof tags !== "string") return "en"
  for (const tag of tags.split(",")) {
    const primary = /^\s*([a-z]+)(?![a-z])/i.exec(tag)?.[1]?.toLowerCase()
    if (primary !== undefined && known.has(primary)) return primary as Locale
  }
  return "en"
}
