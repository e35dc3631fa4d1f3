import type { ServerResponse } from "node:http"
import type { SseAnswer, SseFrame } from "@plugboard/sdk"

export interface SseTimes {
  /** Longest silence; then a comment line keeps proxies from cutting the stream. */
  pingMs: number
  /** Headers go out with the first batch, so that a failure before it can still be a status; a client is not left without headers for longer than this. */
  patienceMs: number
  /** A client that has taken nothing for this long is let go, and what it held with it. */
  stalledMs: number
}
const usualTimes: SseTimes = { pingMs: 15_000, patienceMs: 10_000, stalledMs: 120_000 }

/**
 * Writes batches as they come, each in one write, and pulls the next only when the client has taken the last.
 * `describe` turns a failure in mid-stream into the last frame. Rejects only before anything was sent.
 */
export async function sendSse(
  response: ServerResponse,
  answer: SseAnswer,
  options: { head: boolean; headers: Record<string, string>; describe: (error: unknown) => SseFrame; times?: SseTimes },
): Promise<void> {
  const { pingMs, patienceMs, stalledMs } = options.times ?? usualTimes
  const iterator = answer.frames[Symbol.asyncIterator]()
  const leave = () => void iterator.return?.().then(undefined, () => undefined)
  const begin = () => {
    if (!response.headersSent)
      response.writeHead(200, { ...options.headers, ...answer.headers, "content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no" })
  }
  if (options.head) {
    begin()
    response.end()
    return leave()
  }
  const sayPing = () => {
    begin()
    if (!response.writableNeedDrain) response.write(": ping\n\n")
  }
  const ping = setInterval(sayPing, pingMs)
  const patience = setTimeout(sayPing, patienceMs)
  let wake: (() => void) | undefined
  const drained = () => wake?.()
  const gone = () => {
    leave()
    wake?.()
  }
  response.on("drain", drained).once("close", gone)
  try {
    for (;;) {
      const { value, done } = await iterator.next()
      clearTimeout(patience)
      if (done || response.destroyed) break
      if (value.length === 0) continue
      const text = value instanceof Uint8Array ? value : encode(value)
      begin()
      ping.refresh()
      if (!response.write(text) && !response.destroyed) await taken()
    }
    begin()
  } catch (error) {
    leave()
    if (!response.headersSent) throw error
    if (!response.destroyed) response.write(encode([options.describe(error)]))
  } finally {
    clearInterval(ping)
    clearTimeout(patience)
    response.off("drain", drained).off("close", gone)
  }
  response.end()

  async function taken(): Promise<void> {
    const stalled = setTimeout(() => response.destroy(), stalledMs)
    await new Promise<void>((resolve) => {
      wake = resolve
    })
    clearTimeout(stalled)
  }
}

/** Source: HTML standard, server-sent events: a line ends with CR, LF or both. */
function encode(frames: readonly SseFrame[]): string {
  let text = ""
  for (const { data, event, id } of frames) {
    if (event !== undefined) text += `event: ${oneLine(event)}\n`
    if (id !== undefined) text += `id: ${oneLine(id)}\n`
    // JSON has no bare line end.
    if (typeof data !== "string") text += `data: ${JSON.stringify(data) ?? "null"}\n\n`
    else text += /[\r\n]/.test(data) ? `data: ${data.split(/\r\n|\r|\n/).join("\ndata: ")}\n\n` : `data: ${data}\n\n`
  }
  return text
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, " ")
}
