import { Agents, type Caller, definePlugin, type LogLine, Logs } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"
import { createTails } from "./tails.ts"

export default definePlugin(manifest, (host) => {
  const tails = createTails(host)
  /** Lines name an agent by its key. One that is gone may still be in them. */
  const keyOf = async (caller: Caller, ref: string) => (host.has(Agents) && (await host.use(Agents).resolve(caller, ref))?.key) || ref
  return {
    routes: {
      aggregate: async ({ query, caller }) => {
        const { group_by = "level", level = "debug", source, from } = query
        const since = from === undefined ? 0 : Date.parse(from)
        const lines = (await host.use(Logs).recent(caller, { level, last: 1_000 })).filter((line) => line.at >= since && (source === undefined || line.source === source))
        const counts = new Map<string, number>()
        const keyOfLine = (line: LogLine) => (group_by === "level" ? line.level : line.source)
        for (const line of lines) counts.set(keyOfLine(line), (counts.get(keyOfLine(line)) ?? 0) + 1)
        const buckets = [...counts].map(([key, count]) => ({ key, count })).sort((a, b) => b.count - a.count)
        return { source: "runtime" as const, group_by, total: lines.length, buckets, ...(from !== undefined && { from }) }
      },
    },
    rpc: {
      "logs.tail": async ({ action, level, agentId }, call) => {
        if (action === "stop") {
          tails.stop(call.connectionId)
          return { status: "stopped" as const }
        }
        const filter = { level: level || ("info" as const), ...(agentId && { agent: await keyOf(call.caller, agentId) }) }
        tails.start(call, filter)
        return { status: "tailing" as const, level: filter.level }
      },
    },
    stop: async () => tails.stopAll(),
  }
})
