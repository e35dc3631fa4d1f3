import JSON5 from "json5"

/** Levels of a document. Far more than any has; what walks one by calling itself must not run out of stack. */
const mostLevels = 50

export type Document = Record<string, unknown>

/** A document as clients write it. Throws an error whose message says what is wrong with it. */
export function readRaw(raw: string): Document {
  const value: unknown = JSON5.parse(raw)
  if (!isDocument(value)) throw new Error("it is no object")
  const wrong = wrongIn(value, mostLevels)
  if (wrong) throw new Error(wrong)
  return value
}

export function isDocument(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** The number, list or object that a text spells; undefined when it spells none. */
export function literal(text: string): unknown {
  try {
    const { value } = readRaw(`{ value: ${text} }`)
    return typeof value === "string" ? undefined : value
  } catch {
    return undefined
  }
}

/** JSON5 has numbers that JSON has not, and no text of a database holds a NUL. */
function wrongIn(value: unknown, levels: number): string | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${value} is no number that can be kept`
  if (typeof value === "string") return value.includes("\0") || !value.isWellFormed() ? "a text holds a character that cannot be kept" : undefined
  if (typeof value !== "object" || value === null) return undefined
  if (levels === 0) return `it has more than ${mostLevels} levels`
  for (const [name, member] of Object.entries(value)) {
    const wrong = wrongIn(name, levels) ?? wrongIn(member, levels - 1)
    if (wrong) return wrong
  }
  return undefined
}
