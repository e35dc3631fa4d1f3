import { type Host, type ToolCall, type ToolOffer, type ToolResult, Tools } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import type { Run } from "./run.ts"
import type { Telling } from "./telling.ts"

/** Tools of one model turn that run at the same time. Source: wire contract, websocket 6.8. */
const atOnce = 4
const shownChars = 1_000

/** The tools of an agent, and their calls. */
export function createToolCalls(host: Host<typeof manifest>, { tell }: Telling) {
  const tools = host.open(Tools)

  async function offer(run: Run): Promise<readonly ToolOffer[]> {
    const { agent } = run.request
    const { allow, deny } = agent.toolsConfig as { allow?: unknown; deny?: unknown }
    const listed = (list: unknown, name: string) => Array.isArray(list) && list.includes(name)
    const own = tools
      .entries(run.caller)
      // Without what they do: taps may be in another process.
      .map(([, { name, description, parameters, risk }]) => ({ name, description, parameters, risk }))
      .filter(({ name }) => (Array.isArray(allow) && allow.length > 0 ? listed(allow, name) : true) && !listed(deny, name))
    const { tools: offered } = await host.hooks.call("tools.resolving", { runId: run.id, agentKey: agent.key, tools: own }, { caller: run.caller, signal: run.signal })
    return offered
  }

  /** Results in the order of the calls, however they end. */
  async function callAll(run: Run, calls: readonly ToolCall[], offered: readonly ToolOffer[]): Promise<ToolResult[]> {
    const results: ToolResult[] = []
    let next = 0
    const worker = async () => {
      while (next < calls.length) {
        const at = next++
        results[at] = await callOne(run, calls[at] as ToolCall, offered)
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, calls.length) }, worker))
    return results
  }

  async function callOne(run: Run, call: ToolCall, offered: readonly ToolOffer[]): Promise<ToolResult> {
    tell(run, "tool.call", { name: call.name, id: call.id, arguments: call.arguments })
    const result = await guarded(run, call, offered)
    const { result: told } = await host.hooks.call("tool.called", { runId: run.id, call, result }, { caller: run.caller, signal: run.signal })
    tell(run, "tool.result", {
      name: call.name,
      id: call.id,
      is_error: told.isError ?? false,
      arguments: call.arguments,
      result: told.content.slice(0, shownChars),
      ...(told.isError && { content: told.content }),
    })
    return told
  }

  async function guarded(run: Run, call: ToolCall, offered: readonly ToolOffer[]): Promise<ToolResult> {
    const { agent, turn } = run.request
    const tool = offered.some(({ name }) => name === call.name) ? tools.get(call.name, run.caller) : undefined
    if (!tool) return failed(`There is no tool ${call.name}. Tools are ${offered.map(({ name }) => name).join(", ") || "none"}.`)
    if (call.parseError) return failed(`The arguments are not JSON: ${call.parseError}`)
    // Loaded with the first call: a start has no use for it.
    const { Value } = await import("typebox/value")
    if (!Value.Check(tool.parameters, call.arguments)) {
      const [first] = Value.Errors(tool.parameters, call.arguments)
      return failed(`The arguments do not fit: ${first?.instancePath || "/"} ${first?.message ?? ""}`)
    }
    const context = { caller: run.caller, signal: run.signal }
    // What a tap has looked at, and somebody may have approved, is what the tool gets: nobody can change it meanwhile.
    const args = frozen(structuredClone(call.arguments))
    const calling = { runId: run.id, agentKey: agent.key, sessionKey: turn.sessionKey, call: { ...call, arguments: args }, risk: tool.risk }
    const verdict = await host.hooks.call("tool.calling", calling, context)
    if (verdict) return "answer" in verdict ? verdict.answer : failed(verdict.reason)
    const { sessionKey, channel, chatId } = turn
    const longestMs = tool.timeoutMs ?? host.config.toolTimeoutMs
    const limit = AbortSignal.timeout(longestMs)
    try {
      const asked = { caller: run.caller, runId: run.id, agentKey: agent.key, sessionKey, channel, chatId }
      return await tool.call(structuredClone(args), asked, AbortSignal.any([run.signal, limit]))
    } catch (error) {
      run.signal.throwIfAborted()
      host.log.warn({ err: error, tool: call.name, ...run.named }, "tool failed")
      return failed(limit.aborted ? `The tool took longer than ${longestMs} ms.` : `The tool failed: ${(error as Error).message}`)
    }
  }

  return { offer, callAll }
}

function frozen<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === "object" && member !== null) frozen(member)
  return Object.freeze(value)
}

function failed(content: string): ToolResult {
  return { content, isError: true }
}
