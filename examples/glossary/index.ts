import { definePlugin } from "@plugboard/sdk"
import { addTerms } from "./add-terms.ts"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => ({
  routes: { list: async () => ({ terms: host.config.terms }) },
  hooks: { "prompt.assembling": addTerms(host.config.terms) },
}))
