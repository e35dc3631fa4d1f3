import { appendFileSync } from "node:fs"
import { registerHooks } from "node:module"

// Preloaded into a gateway process by a test that asks what was imported and what was not. One URL a line.
const path = process.env.RECORD_IMPORTS
if (path) {
  registerHooks({
    load(url, context, next) {
      appendFileSync(path, `${url}\n`)
      return next(url, context)
    },
  })
}
