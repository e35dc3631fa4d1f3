import { type Host, type Tool, Tools } from "@plugboard/sdk"
import type { Candidate } from "../plugins/discover.ts"

export interface Took {
  /** `hook`, `route`, `method`, `job` or `tool`. */
  kind: string
  name: string
  ms: number
  failed: boolean
}
type Handler = (...args: never[]) => unknown
type Parts = Record<string, unknown> & Partial<Record<keyof typeof kinds, Record<string, Handler>>>

const kinds = { routes: "route", rpc: "method", hooks: "hook", jobs: "job" } as const

/** The same plugin, whose author hears how long each call of it takes, the way to its process and back included; of a stream, until its end. */
export function timed(candidate: Candidate, tell: (took: Took) => void): Candidate {
  return {
    ...candidate,
    async load() {
      const plugin = await candidate.load()
      return {
        manifest: plugin.manifest,
        async activate(host: Host) {
          const contribute: Host["contribute"] = (token, key, implementation) =>
            host.contribute(
              token,
              key,
              token.point === Tools.point ? { ...implementation, call: stopwatch("tool", key, (implementation as unknown as Tool).call, tell) } : implementation,
            )
          const parts = (await plugin.activate({ ...host, contribute })) as Parts
          const watched: Parts = { ...parts }
          for (const [part, kind] of Object.entries(kinds) as [keyof typeof kinds, string][]) {
            if (parts[part]) watched[part] = Object.fromEntries(Object.entries(parts[part]).map(([name, run]) => [name, stopwatch(kind, name, run, tell)]))
          }
          return watched
        },
      }
    },
  }
}

function stopwatch(kind: string, name: string, run: Handler, tell: (took: Took) => void): Handler {
  return function callTimed(...args: never[]) {
    const began = performance.now()
    const done = (failed: boolean) => tell({ kind, name, ms: performance.now() - began, failed })
    const answer = run(...args)
    if (isStream(answer)) return untilEnd(answer, done)
    return Promise.resolve(answer).then(
      (value) => {
        done(false)
        return value
      },
      (error: unknown) => {
        done(true)
        throw error
      },
    )
  }
}

async function* untilEnd(source: AsyncIterable<unknown>, done: (failed: boolean) => void): AsyncIterable<unknown> {
  let failed = true
  try {
    yield* source
    failed = false
  } finally {
    done(failed)
  }
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value && !("then" in value)
}
