import { definePlugin, Passthrough, passedThrough } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"

export default definePlugin(manifest, (host) => {
  const passthrough = host.use(Passthrough)
  return {
    routes: {
      async create({ body, caller, signal }) {
        const target = await passthrough.find(caller, body.model)
        if (!target) throw host.fail("unknown_model", { model: body.model.slice(0, 100) })
        const answer = await passedThrough(passthrough.embeddings(caller, target, body, signal))
        if (answer.answer === "sse") throw new Error("a stream of vectors")
        return answer
      },
    },
  }
})
