import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

export interface Upstream {
  readonly url: string
  close(): Promise<void>
}

/** A stand-in for the provider. The model's name chooses what goes wrong. */
export async function startUpstream(key: string): Promise<Upstream> {
  const server = createServer(async (request, response) => {
    const shown = request.headers.authorization?.replace("Bearer ", "")
    if (shown !== key) return void response.writeHead(401).end(`the key ${shown} is not known`)
    if (request.url === "/models") return void response.end(JSON.stringify({ models: ["small", "large"] }))
    let body = ""
    for await (const piece of request) body += piece
    await answer(response, (JSON.parse(body) as { model: string }).model)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function answer(response: ServerResponse, model: string): Promise<void> {
  if (model.startsWith("status-")) return void response.writeHead(Number(model.slice(7))).end("no")
  if (model === "silent") return
  for (let word = 0; word < (model === "slow" ? 200 : 5) && !response.destroyed; word += 1) {
    response.write(`${JSON.stringify({ text: `word${word} ` })}\n`)
    await new Promise((resolve) => setTimeout(resolve, model === "slow" ? 50 : 1))
    if (model === "cut") return void response.destroy()
  }
  response.end(`${JSON.stringify({ usage: { input: 3, output: 5 } })}\n`)
}
