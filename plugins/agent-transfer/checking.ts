import type { AgentSection, Host } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

const mostLevels = 50

/** No text that the database cannot hold, and a bottom. */
function isStorable(value: unknown, levels = mostLevels): boolean {
  if (typeof value === "string") return !value.includes("\0") && value.isWellFormed()
  if (typeof value !== "object" || value === null) return true
  return levels > 0 && Object.entries(value).every(([name, inner]) => isStorable(name) && isStorable(inner, levels - 1))
}

/** Refuses a section with an entry that is not of its form, before anything is written. */
export async function checkEntries(host: Host<typeof manifest>, name: string, { entry: form }: AgentSection, entries: readonly unknown[]): Promise<void> {
  const { Value } = await import("typebox/value")
  const bad = entries.findIndex((entry) => !isStorable(entry) || (form !== undefined && !Value.Check(form, entry)))
  if (bad >= 0) throw host.fail("bad_entry", { section: name, entry: bad + 1 })
}
