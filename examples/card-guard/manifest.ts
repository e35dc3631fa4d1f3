import { defineManifest } from "@plugboard/sdk"
import { Type } from "typebox"

export const manifest = defineManifest({
  id: "card-guard",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Keeps payment card numbers out of what models read and say.",
  config: Type.Object(
    { mark: Type.String({ default: "[card number]", minLength: 1, maxLength: 100, description: "What stands in the place of a card number." }) },
    { additionalProperties: false },
  ),
  // Closed: a guard that does not work lets nothing through.
  hooks: {
    "llm.request": { phase: "guard", failure: "closed" },
    "llm.stream": { phase: "guard", failure: "closed" },
    "llm.response": { phase: "guard", failure: "closed" },
  },
})
