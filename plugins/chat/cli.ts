import type { RpcCall } from "@plugboard/sdk"
import type { Run } from "./run.ts"

// What today's command-line client needs and nobody else does: it listens for run events at top level, and gives up on a response after 30 s. Source: wire contract, websocket 8.3.

const mirrored = new Set(["run.started", "chunk", "tool.call", "tool.result", "run.completed"])
const patienceMs = 25_000

/** Repeats the events of a run to the socket that started it, and to no other: all command-line clients share one user. */
export async function mirror(call: RpcCall, run: Run): Promise<void> {
  for await (const batch of run.log.read()) {
    if (call.closed.aborted) return
    for (const { type, payload } of batch) {
      if (mirrored.has(type)) call.emit(type, { ...payload, runId: run.id })
      else if (type === "run.cancelled" || type === "run.failed") endWait(call, run.id)
    }
  }
}

/** The client waits for this event and for nothing else, up to ten minutes. */
export function endWait(call: RpcCall, runId: string): void {
  call.emit("run.completed", { content: "", runId })
}

/** The answer, or after 25 s the word that the run goes on. */
export async function withinPatience<T>(run: Run, answer: Promise<T>): Promise<T | { runId: string; content: string; status: "running" }> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<{ runId: string; content: string; status: "running" }>((resolve) => {
    timer = setTimeout(() => resolve({ runId: run.id, content: "", status: "running" }), patienceMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

/** The session that an interactive client opened first on its connection, by agent: it names none later. Ends with the connection. */
export class OpenedSessions {
  readonly #sessions = new Map<string, Map<string, string>>()

  keyFor(call: RpcCall, agentKey: string, make: () => string): string {
    let own = this.#sessions.get(call.connectionId)
    if (!own) {
      own = new Map()
      this.#sessions.set(call.connectionId, own)
      call.closed.addEventListener("abort", () => this.#sessions.delete(call.connectionId), { once: true })
    }
    const key = own.get(agentKey) ?? make()
    own.set(agentKey, key)
    return key
  }
}
