import type { ErrorDetail } from "@plugboard/sdk"

/** Levels of a JSON value. Far beyond what any client sends; what walks a value by calling itself must not run out of stack. */
const mostLevels = 100

/**
 * What of a JSON value no plugin can keep, the first thing found: PostgreSQL holds no NUL in a text, UTF-8 no half of a surrogate pair, and nothing holds a value without a bottom.
 * `Object.keys`, since `for … in` over fresh objects costs more than the parser did (tried: 1.0 against 0.1 us a small body).
 */
export function unstorableIn(value: unknown, levels = mostLevels): ErrorDetail | undefined {
  if (typeof value === "string") return isText(value) ? undefined : { path: "", rule: "text", message: "must hold no NUL character and no half of a surrogate pair" }
  if (typeof value !== "object" || value === null) return undefined
  if (levels === 0) return { path: "", rule: "depth", message: `must have ${mostLevels} levels at most` }
  for (const name of Object.keys(value)) {
    if (!isText(name)) return { path: "", rule: "text", message: "must have no member whose name holds a NUL character or half of a surrogate pair" }
    const found = unstorableIn((value as Record<string, unknown>)[name], levels - 1)
    if (found) return { ...found, path: `/${name.slice(0, 100)}${found.path}` }
  }
  return undefined
}

function isText(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed()
}
