import { once } from "node:events"
import type { ServerResponse } from "node:http"
import type { SseAnswer, SseFrame } from "@plugboard/sdk"

const pingMs = 15_000
/** Headers go out with the first batch, so that a failure before it can still be a status; a client is not left without headers for longer than this. */
const patienceMs = 10_000

/**
 * Writes batches as they come, each in one write, and pulls the next only when the client has taken the last. A comment line every 15 s keeps proxies from cutting a silent stream.
 * `describe` turns a failure in mid-stream into the last frame. Rejects only before anything was sent.
 */
export async function sendSse(response: ServerResponse, answer: SseAnswer, headers: Record<string, string>, describe: (error: unknown) => SseFrame): Promise<void> {
  const iterator = answer.frames[Symbol.asyncIterator]()
  const begin = () => {
    if (!response.headersSent) response.writeHead(200, { ...headers, ...answer.headers, "content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no" })
  }
  const ping = setInterval(() => {
    begin()
    response.write(": ping\n\n")
  }, pingMs)
  const patience = setTimeout(() => {
    begin()
    response.write(": ping\n\n")
  }, patienceMs)
  const gone = () => void iterator.return?.()?.then(undefined, () => undefined)
  response.once("close", gone)
  try {
    for (;;) {
      const { value, done } = await iterator.next()
      clearTimeout(patience)
      if (done || response.destroyed) break
      if (value.length === 0) continue
      begin()
      ping.refresh()
      if (!response.write(encode(value)) && !response.destroyed) await Promise.race([once(response, "drain"), once(response, "close")])
    }
    begin()
  } catch (error) {
    if (!response.headersSent) throw error
    if (!response.destroyed) response.write(encode([describe(error)]))
  } finally {
    clearInterval(ping)
    clearTimeout(patience)
    response.off("close", gone)
  }
  response.end()
}

function encode(frames: readonly SseFrame[]): string {
  let text = ""
  for (const frame of frames) {
    if (frame.event !== undefined) text += `event: ${frame.event}\n`
    if (frame.id !== undefined) text += `id: ${frame.id}\n`
    const data = typeof frame.data === "string" ? frame.data : JSON.stringify(frame.data)
    text += data.includes("\n") ? `${data.split("\n").map((line) => `data: ${line}`).join("\n")}\n\n` : `data: ${data}\n\n`
  }
  return text
}
