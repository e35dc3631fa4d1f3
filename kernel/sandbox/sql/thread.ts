import { Worker } from "node:worker_threads"
import type { Question, Verdict } from "./worker.ts"

interface Waiting extends Question {
  resolve(verdict: Verdict): void
}

let worker: Worker | undefined
/** In the order asked. The first one is in the thread, and no other: so it is known which text ended a thread. */
const waiting: Waiting[] = []

/**
 * Judges a text in a thread of its own, which starts with the first text: reading 64 KiB can take a tenth of a second, in which no stream may stand still.
 * A text that ends the thread is refused; the others go to the next thread.
 */
export function judge(question: Question): Promise<Verdict> {
  return new Promise((resolve) => {
    waiting.push({ ...question, resolve })
    if (waiting.length === 1) ask()
  })
}

function ask(): void {
  const [first] = waiting
  // It holds the process up only while an answer is due.
  if (!first) worker?.unref()
  if (!first) return
  worker ??= start()
  worker.ref()
  const { kind, text, schema } = first
  worker.postMessage({ kind, text, schema } satisfies Question)
}

function settle(verdict: Verdict): void {
  waiting.shift()?.resolve(verdict)
  ask()
}

function start(): Worker {
  const file = new URL(`./worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)
  // The parser writes its tree by recursion: 64 KiB of `1+1+1…` overflow a stack of 4 MB, and no text of that length one of 8.
  const made = new Worker(file, { execArgv: [], resourceLimits: { stackSizeMb: 16, maxOldGenerationSizeMb: 256 } })
  made.on("message", settle)
  // The end of the thread, which follows, is what counts.
  made.on("error", () => {})
  made.once("exit", () => {
    worker = undefined
    settle({ refused: "the parser cannot read it; make it shorter, with fewer operators in a row and less nesting" })
  })
  return made
}
