import type { AgentIdentity } from "@plugboard/sdk"

const most = { name: 255, emoji: 64, avatar: 2_000, description: 2_000 } as const
const longestLine = 3_000

/** `- **Name:** Anna`, `Name: Anna`, `* Emoji: 🦊` and the like: what is said, and where the value begins. Each pattern takes time in proportion to the line. */
function readLine(line: string): { kind: keyof typeof most; at: number; value: string } | null {
  if (line.length > longestLine) return null
  const marks = /^[\s>*+-]*/.exec(line)?.[0].length ?? 0
  const [label, kind] = /^(name|emoji|avatar|description)[\s*]*:[\s*]*/i.exec(line.slice(marks)) ?? []
  if (label === undefined || kind === undefined) return null
  const at = marks + label.length
  let end = line.length
  while (end > at && (line[end - 1] === "*" || (line[end - 1] as string).trim() === "")) end -= 1
  return { kind: kind.toLowerCase() as keyof typeof most, at, value: line.slice(at, end) }
}

/** What `IDENTITY.md` says of an agent, by its lines. The first of a kind counts; a placeholder in brackets says nothing. */
export function identityIn(text: string): AgentIdentity {
  const found: AgentIdentity = {}
  for (const line of text.split("\n", 500)) {
    const read = readLine(line)
    if (read && read.value !== "" && !/^[([_]/.test(read.value)) found[read.kind] ??= read.value.slice(0, most[read.kind])
  }
  return found
}

/** The text with another name in its line; as it was when it has none. */
export function withName(text: string, displayName: string): string {
  const lines = text.split("\n")
  const index = lines.findIndex((line) => readLine(line)?.kind === "name")
  if (index < 0) return text
  const line = lines[index] as string
  const { at = 0, value = "" } = readLine(line) ?? {}
  lines[index] = `${line.slice(0, at)}${displayName.replace(/\s+/g, " ").trim()}${line.slice(at + value.length)}`
  return lines.join("\n")
}
