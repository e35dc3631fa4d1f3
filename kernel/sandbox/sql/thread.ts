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
 * One text is in the thread at a time, so it is known which one ended it or hangs in it: that question fails, and the others go to the next thread.
 * Schemas take turns, so that a plugin that sends long texts holds up none but itself.
 */
export function judgeIn(file: URL): (question: Question) => Promise<Verdict> {
  let worker: Worker | undefined
  let current: Waiting | undefined
  let timer: NodeJS.Timeout | undefined
  const waiting = new Map<string, Waiting[]>()

  function ask(): void {
    const [turn] = waiting
    // It holds the process up only while an answer is due.
    if (!turn) worker?.unref()
    if (!turn) return
    const [schema, questions] = turn
    current = questions.shift()
    waiting.delete(schema)
    if (questions.length > 0) waiting.set(schema, questions)
    worker ??= start()
    worker.ref()
    timer = setTimeout(() => worker?.terminate(), longestWait)
    worker.postMessage(current?.question)
  }

  function settle(how: (asked: Waiting) => void): void {
    clearTimeout(timer)
    const asked = current
    current = undefined
    if (asked) how(asked)
    ask()
  }

  function start(): Worker {
    // The parser writes its tree by recursion: 64 KiB of `1+1+1…` overflow a stack of 4 MB, and no text of that length one of 8.
    const made = new Worker(file, { execArgv: [], resourceLimits: { stackSizeMb: 16, maxOldGenerationSizeMb: 256 } })
    let cause: unknown
    made.on("message", (verdict: Verdict) => settle((asked) => asked.resolve(verdict)))
    made.once("error", (error) => {
      cause = error
    })
    made.once("exit", () => {
      worker = undefined
      settle((asked) => asked.reject(new Error("the thread that judges SQL ended", { cause })))
    })
    return made
  }

  return function judge(question) {
    return new Promise((resolve, reject) => {
      const asked = { question, resolve, reject }
      const before = waiting.get(question.schema)
      if (before) before.push(asked)
      else waiting.set(question.schema, [asked])
      if (!current) ask()
    })
  }
}
