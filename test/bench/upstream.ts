import { createServer, type ServerResponse } from "node:http"

// A provider that answers at once: OpenAI's wire format, bytes made in advance, so that the bench measures the gateway and not its upstream.
const words = Array.from({ length: 50 }, (_, index) => `word${index} `)
const usage = { prompt_tokens: 20, completion_tokens: 50, total_tokens: 70 }
const id = "chatcmpl-bench"
const chunk = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ id, object: "chat.completion.chunk", created: 1, model: "bench", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
const events = [
  chunk({ role: "assistant", content: "" }),
  ...words.map((content) => chunk({ content })),
  chunk({}, "stop"),
  `data: ${JSON.stringify({ id, object: "chat.completion.chunk", created: 1, model: "bench", choices: [], usage })}\n\n`,
  "data: [DONE]\n\n",
]
const stream = Buffer.from(events.join(""))
/** Between two events of a request that says `"paced":true`. */
const paceMs = 40
const json = Buffer.from(
  JSON.stringify({
    id,
    object: "chat.completion",
    created: 1,
    model: "bench",
    choices: [{ index: 0, message: { role: "assistant", content: words.join("") }, finish_reason: "stop" }],
    usage,
  }),
)
function pace(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" })
  let at = 0
  const ticks = setInterval(() => {
    response.write(events[at])
    at += 1
    if (at < events.length) return
    clearInterval(ticks)
    response.end()
  }, paceMs)
}

const server = createServer((request, response) => {
  const parts: Buffer[] = []
  request.on("data", (part: Buffer) => parts.push(part))
  request.on("end", () => {
    const asked = Buffer.concat(parts)
    const streaming = asked.includes('"stream":true')
    if (asked.includes('"paced":true')) return pace(response)
    const body = streaming ? stream : json
    response.writeHead(200, { "content-type": streaming ? "text/event-stream" : "application/json", "content-length": body.length })
    response.end(body)
  })
})
server.listen(0, "127.0.0.1", () => process.stdout.write(`${JSON.stringify({ port: (server.address() as { port: number }).port })}\n`))
process.on("SIGTERM", () => process.exit(0))
