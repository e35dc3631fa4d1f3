import { AgentLinks, Agents, type Host, type Tap, type Tool, type ToolContext, type ToolResult } from "@plugboard/sdk"
import { Type } from "typebox"
import { type Announcing, shortened } from "./announcing.ts"
import { type Asked, createBegin } from "./begin.ts"
import type { Ends } from "./ends.ts"
import type { manifest } from "./manifest.ts"
import { createWork } from "./work.ts"

const name = "delegate"
/** So that the tool's own limit comes first, and can say so. */
const graceMs = 10_000
const parameters = Type.Object({
  agent: Type.String({ maxLength: 100, description: "Who is to do it." }),
  task: Type.String({ maxLength: 100_000, description: "What is to be done, with all that is needed to know: the other agent sees nothing of this conversation." }),
  mode: Type.Optional(Type.Enum(["sync", "async"], { description: "sync (default): wait for the answer. async: go on at once; the result is told later." })),
})

/** The tool `delegate`, which agents with links have. */
export function createDelegateTool(host: Host<typeof manifest>, ends: Ends, announcing: Announcing) {
  const agents = host.use(Agents)
  const links = host.use(AgentLinks)
  const begin = createBegin(host)
  const work = createWork(host, ends)
  /** Work that no tool call waits for. */
  const aside = new Set<Promise<void>>()
  const { maxResultChars, timeoutSeconds } = host.config

  async function delegate(asked: Asked, context: ToolContext, signal: AbortSignal): Promise<ToolResult> {
    const { caller } = context
    const begun = await begin(asked, context)
    if (asked.mode === "async") {
      const following = work(caller, begun, new AbortController().signal)
        .then((row) => announcing.announce(caller.tenantId, row))
        .catch((err: unknown) => host.log.error({ err, delegation: begun.row.id }, "end of a delegation not stored"))
        .finally(() => aside.delete(following))
      aside.add(following)
      return { content: `Delegation ${begun.row.id} to ${begun.target.key} has begun. Its result will be told here; do not wait for it.` }
    }
    const row = await work(caller, begun, signal)
    signal.throwIfAborted()
    if (row.status === "completed") return { content: shortened(row.result || "(It said nothing.)", maxResultChars) }
    throw host.fail("not_done", { agent: begun.target.key, cause: row.error ?? row.status })
  }

  const tool: Tool = {
    name,
    description: "Hands work to another agent.",
    parameters,
    // What the other agent does with its own tools is judged there.
    risk: "write",
    timeoutMs: timeoutSeconds * 1_000 + graceMs,
    async call(args, context, signal) {
      const { agent, task, mode } = args as { agent: string; task: string; mode?: Asked["mode"] }
      try {
        return await delegate({ agent, task, mode: mode ?? "sync" }, context, signal)
      } catch (error) {
        signal.throwIfAborted()
        const content = await host.describe(error, context.caller.locale)
        if (content === null) throw error
        return { content, isError: true }
      }
    },
  }

  /** Names those that the agent may hand work to; without any the tool is not offered. */
  const offerDelegate: Tap<"tools.resolving"> = async function offerDelegate(value, { caller }) {
    if (!value.tools.some((offer) => offer.name === name)) return value
    const source = await agents.resolve({ ...caller, role: "admin" }, value.agentKey)
    const targets = source ? await links.targets(caller, source.id) : []
    const others = value.tools.filter((offer) => offer.name !== name)
    if (targets.length === 0) return { ...value, tools: others }
    const lines = targets.map(({ target, description }) => `- ${target.key}: ${description || target.description || target.displayName}`)
    const description = `${tool.description} It may be one of:\n${lines.join("\n")}`
    const narrowed = Type.Object({ ...parameters.properties, agent: Type.Enum(targets.map(({ target }) => target.key)) })
    return { ...value, tools: [...others, { name, description, parameters: narrowed, risk: tool.risk }] }
  }

  return { tool, offerDelegate, settled: () => Promise.all(aside) }
}
