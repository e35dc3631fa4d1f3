import { Pool } from "undici"

export interface Outcome {
  requests: number
  failed: number
  /** Wall-clock ms of all of it. */
  ms: number
  /** Ms until the first byte of the body, sorted. */
  firstByteMs: number[]
}

/** `total` requests over `connections`, each of them always busy. Reads every answer to its end and asks `whole` whether it is. */
export async function runLoad(options: {
  url: string
  path: string
  headers: Record<string, string>
  body: string
  connections: number
  total: number
  whole: (text: string) => boolean
}): Promise<Outcome> {
  const pool = new Pool(options.url, { connections: options.connections, pipelining: 1 })
  const outcome: Outcome = { requests: 0, failed: 0, ms: 0, firstByteMs: [] }
  let left = options.total
  const worker = async () => {
    while (left-- > 0) {
      const started = performance.now()
      const { statusCode, body } = await pool.request({
        method: "POST",
        path: options.path,
        headers: { "content-type": "application/json", ...options.headers },
        body: options.body,
      })
      let text = ""
      for await (const chunk of body) {
        if (text === "") outcome.firstByteMs.push(performance.now() - started)
        text += (chunk as Buffer).toString("latin1")
      }
      outcome.requests += 1
      if (statusCode !== 200 || !options.whole(text)) outcome.failed += 1
    }
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: options.connections }, worker))
  outcome.ms = performance.now() - started
  outcome.firstByteMs.sort((a, b) => a - b)
  await pool.close()
  return outcome
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
