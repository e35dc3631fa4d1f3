import { defineManifest } from "@plugboard/sdk"
import { Type } from "typebox"

const Terms = Type.Record(Type.String(), Type.String())

export const manifest = defineManifest({
  id: "glossary",
  version: "1.0.0",
  sdk: "^1.0.0",
  config: Type.Object({ terms: Type.Record(Type.String(), Type.String(), { default: {}, description: "Meaning by term." }) }, { additionalProperties: false }),
  routes: {
    list: { method: "GET", path: "/v1/x/glossary/terms", role: "viewer", summary: "List terms", reply: Type.Object({ terms: Terms }) },
  },
  hooks: { "prompt.assembling": { phase: "recall", failure: "open", timeoutMs: 100 } },
})
