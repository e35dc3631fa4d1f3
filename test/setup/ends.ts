import { setTimeout as sleep } from "node:timers/promises"

/** How long sockets and workers may take to close after the last test, in ms. */
const graceMs = 15_000

/**
 * A suite ends when nothing is open any more. A test that leaves a server, a socket, a child or a worker behind would keep it from ending:
 * then it fails, and says what is open.
 */
export function mochaGlobalTeardown(): void {
  void sleep(graceMs, undefined, { ref: false }).then(() => {
    process.stderr.write(`\nA test left something open: ${process.getActiveResourcesInfo().join(", ")}. Run files by themselves to see whose it is.\n`)
    // mocha sets the code in a listener of its own, which this one comes after.
    process.once("exit", () => {
      process.exitCode = 1
    })
    process.exit()
  })
}
