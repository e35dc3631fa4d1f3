import { type Host, isError, type Tool } from "@plugboard/sdk"
import { type Static, Type } from "typebox"
import { insertClipping } from "./clippings.ts"
import type { manifest } from "./manifest.ts"

// PostgreSQL stores no NUL in a text.
const text = "^[^\\u0000]*$"
const Clip = Type.Object({
  title: Type.String({ minLength: 1, maxLength: 200, pattern: text, description: "What it is about, in a few words." }),
  text: Type.String({ minLength: 1, maxLength: 20_000, pattern: text, description: "The passage, word by word." }),
})

/** The tool: what a model finds worth keeping becomes a row of the user's. */
export function clipTool(host: Host<typeof manifest>): Tool {
  return {
    name: "clip",
    description: "Keeps a passage for the user, who finds it again in the list of clippings.",
    parameters: Clip,
    risk: "write",
    async call(args, { caller }, signal) {
      signal.throwIfAborted()
      try {
        const id = await host.db.for(caller).transaction(async (tx) => {
          const added = await insertClipping(tx, caller.userId, args as Static<typeof Clip>, host.config.maxPerUser)
          if (!added) throw host.fail("full", { most: host.config.maxPerUser })
          tx.audit({ action: "clipping.added", entityType: "clipping", entityId: added.id })
          tx.publish("clippings.added", { id: added.id }, { userId: caller.userId })
          return added.id
        })
        return { content: `Kept as clipping ${id}.` }
      } catch (error) {
        // What the user can mend is told to the model; anything else is a fault of the tool, and thrown.
        if (!isError(error, "clippings.full")) throw error
        return { content: `The user has ${host.config.maxPerUser} clippings already, which is the limit. Older ones expire after ${host.config.keepDays} days.`, isError: true }
      }
    },
  }
}
