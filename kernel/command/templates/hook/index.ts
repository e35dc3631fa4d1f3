import { definePlugin } from "@plugboard/sdk"
import { addAdvice } from "./add-advice.ts"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => ({
  hooks: { "prompt.assembling": addAdvice(host.config) },
}))
