import { spawnSync } from "node:child_process"
import { join } from "node:path"

/**
 * The suite in two parts, of which the second runs also when the first has failed: what may run side by side, a file for each of two processes, the longest files first,
 * and what puts the machine under load or kills processes, and would harm its neighbours, one after the other.
 */
const beside = ["--parallel", "--jobs", "2", "test/!(bench|faults|hostile)/**/*.test.ts", "test/*.test.ts", "{kernel,plugin-sdk,plugins,examples}/**/*.test.ts"]
const alone = ["test/{faults,hostile}/**/*.test.ts"]

const mocha = join(import.meta.dirname, "..", "node_modules", "mocha", "bin", "mocha.js")
for (const part of [beside, alone]) {
  const { status } = spawnSync(process.execPath, [mocha, ...part], { stdio: "inherit" })
  if (status !== 0) process.exitCode = 1
}
