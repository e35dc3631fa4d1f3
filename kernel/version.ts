import { readFileSync } from "node:fs"
import { join } from "node:path"

/** Of the package, which lies one folder up from the source and two up from the compiled code. */
export const version: string = (() => {
  for (const up of ["..", "../.."]) {
    try {
      const found = JSON.parse(readFileSync(join(import.meta.dirname, up, "package.json"), "utf8")) as { name?: string; version: string }
      if (found.name === "plugboard") return found.version
    } catch {
      // The other place then.
    }
  }
  return "0.0.0"
})()
