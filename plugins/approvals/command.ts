import { createHash } from "node:crypto"

/** A call in the one form in which it is shown, stored and compared. */
export interface Command {
  /** Its arguments as canonical JSON. */
  arguments: string
  hash: string
}

/** Null for arguments that are nested too deeply to be written down. */
export function commandOf(tool: string, args: Readonly<Record<string, unknown>>): Command | null {
  try {
    const text = canonical(args)
    return { arguments: text, hash: createHash("sha256").update(`${tool}\n${text}`).digest("hex") }
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** JSON without spaces and with sorted members: equal for equal arguments, whatever order the model wrote them in. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  const members = Object.keys(value).sort()
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical((value as Record<string, unknown>)[name])}`).join()}}`
}

/**
 * What somebody who approves reads: the tool and its arguments, whole. Characters that are not seen, or that turn the text around, stand as escapes, so that it is still the same JSON.
 * @example shownCommand("run", '{"file":"a\u202eb"}')   // run {"file":"a\u202eb"}, the escape in six plain characters
 */
export function shownCommand(tool: string, args: string): string {
  return `${tool} ${args}`.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|[^\S ]/gu, escaped)
}

function escaped(character: string): string {
  return character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("")
}
