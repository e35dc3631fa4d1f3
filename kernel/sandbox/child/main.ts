import { registerHooks } from "node:module"
import { harden } from "./harden.ts"

const pipes = harden()

/** The gateway's own SDK, whatever the plugin brings: its tokens and this process must be of one version. typebox where the plugin brings none. */
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "@plugboard/sdk") return next(specifier, { ...context, parentURL: import.meta.url })
    if (specifier !== "typebox" && !specifier.startsWith("typebox/")) return next(specifier, context)
    try {
      return next(specifier, context)
    } catch {
      return next(specifier, { ...context, parentURL: import.meta.url })
    }
  },
})

const { serveGateway } = await import("./serve.ts")
serveGateway(pipes)
