import fc from "fast-check"

const levels = (count: number): unknown => JSON.parse(`${"[".repeat(count)}1${"]".repeat(count)}`)
const texts = [
  "",
  " ",
  "\0",
  "a\0b",
  "\ud800",
  "x\udc00",
  "\u202e\ufeff",
  "%00",
  "../../etc/passwd",
  "'; --",
  "{}",
  "null",
  "NaN",
  "0195c9f0-1111-7a10-8b00-00000000000g",
  "x".repeat(255),
  "x".repeat(70_000),
]
const numbers = [0, -1, 1.5, 1e99, -1e99, 2 ** 31, 2 ** 53, 2 ** 63, Number.MIN_VALUE]
const objects = [
  {},
  { "": "" },
  { "a\0": 1 },
  { a: "\0" },
  { a: ["\udfff"] },
  JSON.parse('{"__proto__":{"a":1},"constructor":1}') as object,
  { a: levels(90) },
  { a: levels(3_000) },
]
const lists = [[], [null], [{}], ["", "\0"], [1, "1"], levels(3_000)]

/** A text that was trouble somewhere, or any other. */
export function hostileText(maxLength: number): fc.Arbitrary<string> {
  return fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...texts.map((text) => text.slice(0, maxLength))) }, fc.string({ unit: "binary", maxLength: 50 }))
}

/** Mostly of the type that is asked for, since another one is soon refused. */
function insteadOf(present: unknown): fc.Arbitrary<unknown> {
  const alike = {
    string: hostileText(100_000),
    number: fc.oneof(fc.constantFrom(...numbers), fc.double()),
    object: Array.isArray(present) ? fc.constantFrom(...lists) : fc.oneof(fc.constantFrom(...objects), fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }))),
  }[typeof present as string]
  const any = fc.oneof(fc.constantFrom(...texts, ...numbers, ...objects, ...lists, true, null), fc.jsonValue({ maxDepth: 3 }))
  return alike ? fc.oneof({ weight: 4, arbitrary: alike }, any) : any
}

/** Where something stands in a value: names of members and places in lists. */
type Path = readonly string[]

function pathsIn(value: unknown, at: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([name, member]) => pathsIn(member, [...at, name]))]
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], value)
}

/** The value with something else at one place. */
function withAt(value: unknown, [name, ...rest]: Path, other: unknown): unknown {
  if (name === undefined) return other
  if (Array.isArray(value)) return value.map((member, at) => (String(at) === name ? withAt(member, rest, other) : member))
  return { ...(value as object), [name]: withAt((value as Record<string, unknown> | undefined)?.[name], rest, other) }
}

/** The `least` that is asked for, or all of `whole`, in which one thing is not as it should be. */
export function spoilt(least: unknown, whole: unknown): fc.Arbitrary<unknown> {
  return fc.tuple(fc.constantFrom(...pathsIn(whole)), fc.boolean()).chain(([path, all]) =>
    insteadOf(valueAt(whole, path)).map((other) => {
      const [member] = path
      if (all || member === undefined) return withAt(whole, path, other)
      // Members beside the spoilt one, such as those of a list's items, are as in the whole.
      return withAt({ ...(least as object), [member]: (whole as Record<string, unknown>)[member] }, path, other)
    }),
  )
}
