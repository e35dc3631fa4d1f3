import { asEffort, type Host, type LlmRequest, Providers, Sessions, type ToolOffer } from "@plugboard/sdk"
import { createFitting } from "./fitting.ts"
import type { manifest } from "./manifest.ts"
import { createModelCall, silence } from "./model-call.ts"
import type { Completed } from "./outcome.ts"
import { shown } from "./remembered.ts"
import type { Run } from "./run.ts"
import type { Telling } from "./telling.ts"
import { createToolCalls } from "./tool-calls.ts"

/** Model calls and tools in turn, until there is an answer. Leaves the run's messages in `run.made`. */
export function createLoop(host: Host<typeof manifest>, telling: Telling) {
  const { tell } = telling
  const callModel = createModelCall(host, telling)
  const { offer, callAll } = createToolCalls(host, telling)
  const fitting = createFitting(host, telling)
  const providers = host.use(Providers)
  const sessions = host.use(Sessions)

  /** The model and where it is: what the request asks for, what the agent says, what the tenant has. */
  async function target(run: Run): Promise<void> {
    const { agent, model } = run.request
    const fallback = agent.provider === "" ? await providers.fallback(run.caller) : null
    run.provider = agent.provider || fallback?.provider || ""
    if (run.provider === "") throw host.fail("no_provider", {})
    run.model = model || agent.model || fallback?.model || (await providers.defaultModel(run.caller, run.provider)) || ""
  }

  async function systemPrompt(run: Run): Promise<string> {
    const { agent, turn, instructions, light } = run.request
    const sections = [...(agent.systemPrompt === "" ? [] : [{ key: "agent", text: agent.systemPrompt }]), ...instructions.map((text) => ({ key: "caller", text }))]
    if (light) return sections.map((section) => section.text).join("\n\n")
    const prompt = await host.hooks.call(
      "prompt.assembling",
      { runId: run.id, agentKey: agent.key, sessionKey: turn.sessionKey, message: turn.message, sections },
      { caller: run.caller, signal: run.signal },
    )
    return prompt.sections.map((section) => section.text).join("\n\n")
  }

  async function readInjected(run: Run): Promise<void> {
    run.hasInjected = false
    const known = new Set(run.consumed.map(({ id }) => id))
    for (const message of await sessions.injected(run.caller, run.id)) {
      if (known.has(message.id)) continue
      run.consume(message)
      tell(run, "activity", { phase: "injected_message", content: message.content.slice(0, 200) })
    }
  }

  function requestOf(run: Run, system: string, tools: readonly ToolOffer[]): LlmRequest {
    const { agent, maxTokens, temperature, stream, cache } = run.request
    const effort = asEffort(agent.thinkingLevel)
    return {
      model: run.model,
      messages: [...(system === "" ? [] : [{ role: "system" as const, content: system }]), ...shown(run.summary, run.conversation)],
      ...(tools.length > 0 && { tools: tools.map(({ name, description, parameters }) => ({ name, description, parameters })) }),
      ...((maxTokens ?? agent.maxTokens) ? { maxTokens: maxTokens ?? agent.maxTokens } : {}),
      ...(temperature !== undefined && { temperature }),
      ...(effort && { effort }),
      ...(cache && { cache }),
      stream,
    }
  }

  async function ask(run: Run, system: string, tools: readonly ToolOffer[], iteration: number) {
    const context = { caller: run.caller, signal: run.signal }
    run.activity = { phase: "thinking", iteration }
    tell(run, "activity", run.activity)
    const call = await host.hooks.call("llm.request", { runId: run.id, provider: run.provider, iteration, request: requestOf(run, system, tools) }, context)
    const { keeper, ...answer } = await callModel(run, call)
    const said = { runId: run.id, iteration, ...answer }
    const shaped = await host.hooks.call("llm.response", said, context)
    if (keeper?.pieces && shaped.message === said.message) {
      const { provider, model, usage } = answer
      const kept = { provider, model, usage, pieces: keeper.pieces }
      await host.hooks.call("llm.called", { runId: run.id, agentKey: run.request.agent.key, as: keeper.wish.as, answer: kept }, context)
    }
    return shaped
  }

  /** An answer to a conversation that fits; asked for once more when the provider found that it does not, and it could be made shorter. */
  async function askFitting(run: Run, system: string, tools: readonly ToolOffer[], besideBytes: number, iteration: number) {
    await fitting.fit(run, besideBytes, iteration)
    try {
      return await ask(run, system, tools, iteration)
    } catch (error) {
      if (!(await fitting.refit(run, besideBytes, iteration, error))) throw error
      return ask(run, system, tools, iteration)
    }
  }

  return async function think(run: Run): Promise<Completed> {
    await target(run)
    const [system, tools] = await Promise.all([systemPrompt(run), offer(run)])
    const besideBytes = fitting.besideBytes(system, tools)
    const most = run.request.agent.maxToolIterations
    for (let iteration = 1; ; iteration += 1) {
      if (run.hasInjected) await readInjected(run)
      // The last call has no tools to call, so that it must answer.
      const { message, finish, usage } = await askFitting(run, system, iteration < most ? tools : [], besideBytes, iteration)
      fitting.measure(run, besideBytes, usage)
      const text = typeof message.content === "string" ? message.content : run.text
      run.text = ""
      const calls = message.toolCalls ?? []
      const kept = { role: "assistant" as const, ...(message.thinking !== undefined && { thinking: message.thinking }) }
      if (calls.length === 0 || iteration >= most) {
        const silent = text.trim() === silence
        const content = text.trim() === "" ? "..." : text
        // Should messages come in at this moment, the model is shown its answer: an empty one would be refused.
        run.keep({ ...kept, content }, content === text ? message : { ...message, content })
        return {
          status: "completed",
          content: silent ? "" : text,
          thinking: message.thinking ?? "",
          usage: run.usage,
          finish: finish === "length" || finish === "content_filter" ? finish : "stop",
        }
      }
      run.keep({ ...kept, content: text, toolCalls: [...calls] }, message)
      if (text !== "") tell(run, "block.reply", { content: text, source: "llm_progress" })
      run.activity = { phase: "tool_exec", tool: calls[0]?.name, tools: calls.map((call) => call.name), iteration }
      tell(run, "activity", run.activity)
      const results = await callAll(run, calls, tools)
      for (const [at, { content, isError }] of results.entries()) {
        const answered = { role: "tool" as const, content, toolCallId: calls[at]?.id as string, ...(isError && { isError }) }
        run.keep(answered, answered)
      }
    }
  }
}
