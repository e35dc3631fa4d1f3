import { setTimeout as pause } from "node:timers/promises"
import { type Host, type LogFilter, type LogLine, Logs, type RpcCall } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import { logEvent, marker } from "./wire.ts"

/** How often a socket gets what has come together, in ms. */
const everyMs = 100
/** Lines that a socket begins with. */
const replayed = 100

export interface Tails {
  /** In place of what the socket followed before. */
  start(call: RpcCall, filter: Omit<LogFilter, "last">): void
  stop(connectionId: string): void
  stopAll(): void
}

/** Who follows the log: one tail a socket, which ends with it. */
export function createTails(host: Host<typeof manifest>): Tails {
  const tails = new Map<string, AbortController>()
  const most = Math.ceil((host.config.linesPerSecond * everyMs) / 1_000)

  async function follow(call: RpcCall, filter: LogFilter, signal: AbortSignal): Promise<void> {
    let opened = false
    for await (const { lines, missed } of host.use(Logs).tail(call.caller, filter, signal)) {
      if (signal.aborted) return
      const sent = opened ? lines.slice(-most) : lines
      const left = missed + lines.length - sent.length
      if (left > 0) call.emit("log", marker("Log lines left out", { count: String(left) }))
      for (const line of sent as LogLine[]) call.emit("log", logEvent(line))
      if (!opened) call.emit("log", marker("Log tailing started"))
      opened = true
      await pause(everyMs, undefined, { signal }).catch(() => undefined)
    }
  }

  return {
    start(call, filter) {
      const { connectionId } = call
      const before = tails.get(connectionId)
      if (!before && tails.size >= host.config.maxTails) throw host.fail("too_many", { most: host.config.maxTails })
      before?.abort()
      const own = new AbortController()
      tails.set(connectionId, own)
      call.after(() =>
        follow(call, { ...filter, last: before ? 0 : replayed }, AbortSignal.any([own.signal, call.closed])).finally(() => {
          if (tails.get(connectionId) === own) tails.delete(connectionId)
        }),
      )
    },
    stop(connectionId) {
      tails.get(connectionId)?.abort()
      tails.delete(connectionId)
    },
    stopAll() {
      for (const tail of tails.values()) tail.abort()
      tails.clear()
    },
  }
}
