import { Worker } from "node:worker_threads"
import type { Question, Verdict } from "./worker.ts"

interface Waiting {
  question: Question
  resolve(verdict: Verdict): void
  reject(error: Error): void
}

/** Milliseconds for one text, the start of the thread included; people's texts take one. */
const longestWait = 30_000

/**
 * Judges texts in a thread of its own, which starts with the first text: reading 64 KiB can take a tenth of a second, in which no stream may stand still.
 * When a text ends the thread, or hangs in it, its question fails, and the others go to the next thread.
 */
export function judgeIn(file: URL): (question: Question) => Promise<Verdict> {
  let worker: Worker | undefined
  /** In the order asked. The first one is in the thread, and no other: so it is known which text ended a thread. */
  const waiting: Waiting[] = []
  let timer: NodeJS.Timeout | undefined

  function ask(): void {
    const [first] = waiting
    // It holds the process up only while an answer is due.
    if (!first) worker?.unref()
    if (!first) return
    worker ??= start()
    worker.ref()
    timer = setTimeout(() => worker?.terminate(), longestWait)
    worker.postMessage(first.question)
  }

  function settle(): Waiting | undefined {
    clearTimeout(timer)
    return waiting.shift()
  }

  function start(): Worker {
    // The parser writes its tree by recursion: 64 KiB of `1+1+1…` overflow a stack of 4 MB, and no text of that length one of 8.
    const made = new Worker(file, { execArgv: [], resourceLimits: { stackSizeMb: 16, maxOldGenerationSizeMb: 256 } })
    let cause: unknown
    made.on("message", (verdict: Verdict) => {
      settle()?.resolve(verdict)
      ask()
    })
    made.once("error", (error) => {
      cause = error
    })
    made.once("exit", () => {
      worker = undefined
      settle()?.reject(new Error("the thread that judges SQL ended", { cause }))
      ask()
    })
    return made
  }

  return function judge(question) {
    return new Promise((resolve, reject) => {
      waiting.push({ question, resolve, reject })
      if (waiting.length === 1) ask()
    })
  }
}
