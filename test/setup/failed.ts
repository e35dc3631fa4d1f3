import type { Context } from "mocha"

/** Under a test that failed stands what its gateways have logged as errors: the client was told no more than an id. */
export const mochaHooks = {
  async afterEach(this: Context): Promise<void> {
    if (this.currentTest?.state !== "failed") return
    const { loggedErrors } = await import("../../kernel/testing.ts")
    const lines = loggedErrors().slice(-20)
    if (lines.length > 0) process.stderr.write(`\nlogged when "${this.currentTest.fullTitle()}" failed:\n${lines.join("\n")}\n`)
  },
}
