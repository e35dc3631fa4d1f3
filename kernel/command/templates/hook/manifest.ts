import { defineManifest } from "@plugboard/sdk"
import { Type } from "typebox"

export const manifest = defineManifest({
  id: "scaffold",
  version: "0.1.0",
  sdk: "^1.0.0",
  summary: "Adds advice to the system prompt when a message names a word.",
  config: Type.Object(
    {
      word: Type.String({ default: "urgent", minLength: 1, maxLength: 100, description: "What a message must name." }),
      advice: Type.String({ default: "Answer in one sentence.", maxLength: 4_000, description: "What the agent is told then." }),
    },
    { additionalProperties: false },
  ),
  // Open: without the advice a chat goes on all the same. A guard is closed.
  hooks: { "prompt.assembling": { phase: "recall", failure: "open" } },
})
