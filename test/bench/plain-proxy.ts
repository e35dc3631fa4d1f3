import { Readable } from "node:stream"
import Koa from "koa"
import { koaBody } from "koa-body"
import { Agent, request } from "undici"

// The least that a gateway could do: parse the request, ask the upstream, parse the answer (or pass the stream on). What a gateway costs is told as a ratio to this.
const upstream = process.argv[2] as string
const dispatcher = new Agent()
const app = new Koa()
app.use(koaBody({ jsonLimit: "1mb" }))
app.use(async (ctx) => {
  const body = ctx.request.body as { stream?: boolean }
  const answer = await request(`${upstream}/chat/completions`, {
    dispatcher,
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer bench" },
    body: JSON.stringify({ ...body, model: "bench" }),
  })
  ctx.status = answer.statusCode
  if (body.stream) {
    ctx.type = "text/event-stream"
    ctx.body = Readable.from(answer.body)
  } else {
    ctx.body = await answer.body.json()
  }
})
const server = app.listen(0, "127.0.0.1", () => process.stdout.write(`${JSON.stringify({ port: (server.address() as { port: number }).port })}\n`))
process.on("SIGTERM", () => process.exit(0))
