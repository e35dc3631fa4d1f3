import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"

export interface Running {
  pid: number
  url: string
  /** Ms from the start of the process to its first word. */
  startMs: number
  /** Asks it to end, and waits. */
  stop(): Promise<void>
  /** kill -9, and waits. */
  kill(): Promise<void>
}

/** How long a program may take to say its first word, and to end, in ms: many times what it takes, since the machine may have much else to do. */
const patienceMs = 60_000

const flags = ["--disable-sigusr1", "--conditions=plugboard-source"]

/** Starts a program that prints `{ "port": … }` when it listens. */
export function startProgram(file: string, args: readonly string[] = []): Promise<Running> {
  const child = spawn(process.execPath, [...flags, file, ...args], { stdio: ["ignore", "pipe", "inherit"] })
  return firstWord(child, (line) => (line.port ? `http://127.0.0.1:${line.port}` : undefined))
}

/** Starts the gateway as a user would, and waits for its log line. */
export function startGateway(env: Record<string, string>): Promise<Running> {
  const main = new URL("../kernel/main.ts", import.meta.url).pathname
  const cached = ["--import", new URL("../kernel/compile-cache.js", import.meta.url).href]
  const child = spawn(process.execPath, [...flags, ...cached, main, "start"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  })
  return firstWord(child, (line) => (line.msg === "gateway listens" ? String(line.url) : undefined))
}

/** Ends what does not speak, so that a test which has given up leaves no process behind. */
function firstWord(child: ChildProcess, urlOf: (line: Record<string, unknown>) => string | undefined): Promise<Running> {
  const started = performance.now()
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => child.kill("SIGKILL"), patienceMs)
    child.once("exit", (code, signal) => {
      clearTimeout(late)
      reject(new Error(`${child.spawnargs.join(" ")} ended with ${code ?? signal} after ${Math.round(performance.now() - started)} ms`))
    })
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (text) => {
      const url = urlOf(JSON.parse(text) as Record<string, unknown>)
      if (!url) return
      clearTimeout(late)
      resolve({
        pid: child.pid as number,
        url,
        startMs: performance.now() - started,
        stop: () => end(child, "SIGTERM", ended),
        kill: () => end(child, "SIGKILL", ended),
      })
    })
  })
}

async function end(child: ChildProcess, signal: NodeJS.Signals, ended: Promise<void>): Promise<void> {
  const stuck = setTimeout(() => child.kill("SIGKILL"), patienceMs)
  child.kill(signal)
  await ended
  clearTimeout(stuck)
  if (signal === "SIGTERM" && child.signalCode === "SIGKILL") throw new Error(`${child.spawnargs.join(" ")} did not end within ${patienceMs} ms`)
}
