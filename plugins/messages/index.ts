import { randomUUID } from "node:crypto"
import { AgentAnswers, cacheWishIn, definePlugin, estimateUsage, headedDeltas, Passthrough, reply } from "@plugboard/sdk"
import { wholeMessage } from "./answer.ts"
import { messageEvents } from "./events.ts"
import { manifest } from "./manifest.ts"
import { requestIn } from "./request.ts"

export default definePlugin(manifest, (host) => {
  const passthrough = host.use(Passthrough)
  const agents = host.use(AgentAnswers)
  return {
    routes: {
      async create({ body, caller, headers, signal }) {
        const cache = cacheWishIn(headers["cache-control"])
        const request = { ...requestIn(host, body), ...(cache && { cache }) }
        const named = /^(?:goclaw|agent):(.+)$/.exec(body.model)?.[1] ?? headers["x-goclaw-agent-id"] ?? headers["x-goclaw-agent"]
        const target = named ? null : await passthrough.find(caller, body.model)
        const answer = target ? passthrough.answer(caller, target, request, "messages", signal) : agents.answer(caller, named ?? "", request, "messages", signal)
        const shape = { id: `msg_${randomUUID().replaceAll("-", "")}`, model: body.model }
        const told: Record<string, string> = {}
        const deltas = headedDeltas(answer, told)
        if (request.stream) return reply.sse(messageEvents(shape, deltas), told)
        return reply.json(await wholeMessage(shape, deltas), { headers: told })
      },
      count: async ({ body }) => {
        const { messages, tools = [] } = requestIn(host, body)
        const { promptTokens } = estimateUsage([...messages, { role: "system", content: tools.length === 0 ? "" : JSON.stringify(tools) }], 0)
        return { input_tokens: promptTokens }
      },
    },
  }
})
