import type { Host, Tool } from "@plugboard/sdk"
import { Type } from "typebox"
import type { manifest } from "./manifest.ts"

/** The name is one for the whole gateway, so it begins with the plugin's. */
export function countWords(host: Host<typeof manifest>): Tool {
  return {
    name: "scaffold_count",
    description: "Counts the words of a text.",
    parameters: Type.Object({ text: Type.String({ maxLength: 100_000, description: "The text." }) }),
    risk: "safe",
    async call({ text }, _context, signal) {
      signal.throwIfAborted()
      const words = String(text).split(/\s+/).filter(Boolean).length
      // What the model can do better next time is an error that it reads; a fault of the tool's own is thrown.
      if (words > host.config.maxWords) return { content: `The text has more than ${host.config.maxWords} words. Give a shorter one.`, isError: true }
      return { content: `${words} words` }
    },
  }
}
