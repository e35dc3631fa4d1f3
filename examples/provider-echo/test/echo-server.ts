import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

export interface EchoServer {
  readonly url: string
  /** Keys that came, call by call. */
  readonly keys: (string | undefined)[]
  close(): Promise<void>
}

/** A stand-in for the upstream of the tests. The model's name chooses what goes wrong. */
export async function startEchoServer(key: string): Promise<EchoServer> {
  const keys: (string | undefined)[] = []
  const server = createServer(async (request, response) => {
    const shown = request.headers["x-echo-key"] as string | undefined
    keys.push(shown)
    if (shown !== key) return refuse(response, 401, `the key ${shown} is not known`)
    if (request.url === "/models") return void response.end(JSON.stringify({ models: ["parrot", "slow"] }))
    let body = ""
    for await (const piece of request) body += piece
    const { model, text } = JSON.parse(body) as { model: string; text: string }
    await say(response, model, text)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function say(response: ServerResponse, model: string, text: string): Promise<void> {
  if (model === "unknown") return refuse(response, 404, "there is no model unknown")
  if (model === "busy") return refuse(response, 429, "too many words", { "retry-after": "7" })
  if (model === "down") return refuse(response, 503, "the parrot sleeps")
  if (model === "picky") return refuse(response, 422, "it does not say that")
  const words = text.split(/(?<= )/)
  if (model === "dumb") return
  for (const word of model === "slow" ? Array.from({ length: 200 }, () => "again ") : words) {
    if (response.destroyed) return
    // Cut in the middle of a line, as a network would.
    const line = `${JSON.stringify({ word })}\n`
    response.write(line.slice(0, 5))
    await new Promise((resolve) => setTimeout(resolve, model === "slow" ? 50 : 1))
    response.write(line.slice(5))
    if (model === "hoarse") return void response.destroy()
    if (model === "mumbling") return void response.end("krr\n")
  }
  response.end(`${JSON.stringify({ done: { heard: words.length, said: words.length } })}\n`)
}

function refuse(response: ServerResponse, status: number, error: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, headers).end(JSON.stringify({ error }))
}
