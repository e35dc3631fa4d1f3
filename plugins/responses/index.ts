import { randomUUID } from "node:crypto"
import { AgentAnswers, type Caller, cacheWishIn, definePlugin, headedDeltas, Passthrough, reply } from "@plugboard/sdk"
import { responseBody, type Shape } from "./answer.ts"
import { Output, responseEvents } from "./events.ts"
import { manifest } from "./manifest.ts"
import { requestIn } from "./request.ts"
import { conversationOf, keepConversation, pruneConversations } from "./stored.ts"

export default definePlugin(manifest, (host) => {
  const passthrough = host.use(Passthrough)
  const agents = host.use(AgentAnswers)

  async function earlierOf(caller: Caller, id: string | undefined) {
    const earlier = id ? await conversationOf(host.db.for(caller), id, caller.userId) : []
    if (!earlier) throw host.fail("unknown_response", { id: (id ?? "").slice(0, 100) })
    return earlier
  }

  return {
    routes: {
      async create({ body, caller, headers, signal }) {
        const cache = cacheWishIn(headers["cache-control"])
        const request = { ...requestIn(host, body, await earlierOf(caller, body.previous_response_id)), ...(cache && { cache }) }
        const named = /^(?:goclaw|agent):(.+)$/.exec(request.model)?.[1] ?? headers["x-goclaw-agent-id"] ?? headers["x-goclaw-agent"]
        const target = named ? null : await passthrough.find(caller, request.model)
        const answer = target ? passthrough.answer(caller, target, request, "responses", signal) : agents.answer(caller, named ?? "", request, "responses", signal)
        const shape: Shape = { id: `resp_${randomUUID().replaceAll("-", "")}`, createdAt: Math.floor(Date.now() / 1_000), body }
        const keep = async ({ built }: Output) => {
          if (body.store === false) return
          const said = request.messages.filter((message, at) => at > 0 || message.role !== "system" || !body.instructions)
          await keepConversation(host.db.for(caller), shape.id, caller.userId, [...said, built.message()])
        }
        const told: Record<string, string> = {}
        const deltas = headedDeltas(answer, told)
        if (request.stream) return reply.sse(responseEvents(shape, deltas, keep), told)
        const output = new Output()
        for await (const batch of deltas) output.take(batch)
        output.end()
        await keep(output)
        return reply.json(responseBody(shape, output.items, output.built), { headers: told })
      },
    },
    jobs: { prune: (_, { caller }) => pruneConversations(host.db.for(caller), host.config.keepDays) },
  }
})
