import { defineManifest, Tools } from "@plugboard/sdk"
import { Type } from "typebox"

export const manifest = defineManifest({
  id: "scaffold",
  version: "0.1.0",
  sdk: "^1.0.0",
  summary: "A tool that counts words.",
  contributes: [Tools],
  config: Type.Object(
    { maxWords: Type.Integer({ default: 1_000, minimum: 1, maximum: 10_000, description: "Words that are counted at most; longer texts are refused." }) },
    { additionalProperties: false },
  ),
})
