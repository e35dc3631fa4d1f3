/**
 * What an answer looks like, written as the contract writes it: a word for a value, `[shape]` for a list of them, an object for an object. A member whose name ends in `?` may be
 * absent, and is never null; `"*"` stands for every other member; all members that are not named may be there. Words are joined by `|`; one in quotes stands for itself.
 */
export type Shape = string | readonly [Shape] | { readonly [member: string]: Shape }

const words: Readonly<Record<string, (value: unknown) => boolean>> = {
  any: () => true,
  bool: (value) => typeof value === "boolean",
  int: (value) => Number.isInteger(value),
  number: (value) => typeof value === "number",
  text: (value) => typeof value === "string",
  /** Not empty. */
  name: (value) => typeof value === "string" && value !== "",
  slug: (value) => typeof value === "string" && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(value),
  uuid: (value) => typeof value === "string" && /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(value),
  ts: (value) => typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value),
  ms: (value) => Number.isInteger(value) && (value as number) > 1.7e12,
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  list: Array.isArray,
  null: (value) => value === null,
}

/** One line for each place where the value is not of the shape. */
export function misfits(shape: Shape, value: unknown, at = "$"): string[] {
  if (typeof shape === "string") return shape.split("|").some((word) => isWord(word, value)) ? [] : [`${at}: ${JSON.stringify(value)?.slice(0, 80)} is not ${shape}`]
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return [`${at}: ${JSON.stringify(value)?.slice(0, 80)} is no list`]
    return value.flatMap((item, index) => misfits(shape[0] as Shape, item, `${at}[${index}]`))
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${at}: ${JSON.stringify(value)?.slice(0, 80)} is no object`]
  const members = value as Record<string, unknown>
  const named = new Set(Object.keys(shape).map((name) => name.replace(/\?$/, "")))
  return Object.entries(shape).flatMap(([name, member]) => {
    if (name === "*") return Object.entries(members).flatMap(([other, it]) => (named.has(other) ? [] : misfits(member, it, `${at}.${other}`)))
    const plain = name.replace(/\?$/, "")
    if (members[plain] === undefined) return name.endsWith("?") ? [] : [`${at}.${plain} is absent`]
    return misfits(member, members[plain], `${at}.${plain}`)
  })
}

function isWord(word: string, value: unknown): boolean {
  const literal = /^'(.*)'$/.exec(word)?.[1]
  if (literal !== undefined) return value === literal
  if (word === "true" || word === "false") return value === (word === "true")
  const check = words[word]
  if (!check) throw new Error(`no word of shapes: ${word}`)
  return check(value)
}
