import { randomUUID } from "node:crypto"
import { Agents, addUsage, type Caller, type FinishedRun, type Host, noUsage, Prices, Providers, type RunAttempt, Sessions } from "@plugboard/sdk"
import { usualTokensPerByte } from "./fit.ts"
import { createLimits } from "./limits.ts"
import type { manifest } from "./manifest.ts"
import { storedBetween } from "./stored.ts"
import { createSummarizer } from "./summarizer.ts"
import { asSaid, inWords } from "./transcript.ts"

/** Source of both: wire contract, websocket 4.4. */
const leastMessages = 6
const usuallyKept = 4

/** `sessions.compact`: a summary because somebody asks for it, whatever the size. What it takes is told as that of a run, and counted with the session. */
export function createByHand(host: Host<typeof manifest>) {
  const sessions = host.use(Sessions)
  const limitsOf = createLimits(host)
  const { summarize, summarizerOf } = createSummarizer(host)

  async function agentOf(caller: Caller, key: string, sessionModel: string) {
    const agent = await host.use(Agents).resolve(caller, key)
    if (!agent) throw host.fail("unknown_agent", { agent: key })
    const fallback = agent.provider === "" ? await host.use(Providers).fallback(caller) : null
    const provider = agent.provider || fallback?.provider || ""
    if (provider === "") throw host.fail("no_provider", {})
    const model = agent.model || fallback?.model || (await host.use(Providers).defaultModel(caller, provider)) || sessionModel
    return { agent, provider, model }
  }

  function record(caller: Caller, facts: Pick<FinishedRun, "runId" | "agentKey" | "sessionKey" | "status" | "provider" | "model" | "attempts" | "error">, since: Date): void {
    const spent = (facts.attempts ?? []).flatMap(({ provider, model, usage }) => (usage ? [{ provider, model, usage }] : []))
    const cost = host.has(Prices) ? host.use(Prices).cost(caller, spent) : Promise.resolve(null)
    const usage = spent.reduce((total, each) => addUsage(total, each.usage), noUsage)
    const times = { startedAt: since.toISOString(), durationMs: Date.now() - since.getTime() }
    cost
      .then((costNanoUsd) => host.hooks.call("run.finished", { ...facts, channel: "compaction", usage, costNanoUsd, ...times }, { caller, signal: new AbortController().signal }))
      .catch((err: unknown) => host.log.warn({ err, run: facts.runId }, "run.finished failed"))
  }

  return async function compact(caller: Caller, key: string, keepLast: number = usuallyKept, signal: AbortSignal = new AbortController().signal) {
    const memory = await sessions.memory(caller, key)
    if (!memory) throw host.fail("unknown_session", { key: key.slice(0, 100) })
    const { summary, summarizedTo, beyond: original, agentKey } = memory
    if (memory.busy) throw host.fail("busy", { key: key.slice(0, 100) })
    const nothing = { ok: true as const, message: "There is too little to summarize.", kept: original }
    if (original < leastMessages) return nothing
    const messages = await storedBetween(host, caller, key, summarizedTo, null)
    let cut = Math.max(0, messages.length - keepLast)
    while (messages[cut]?.role === "tool") cut -= 1
    const last = messages[cut - 1]
    if (!last) return nothing
    const { agent, ...asked } = await agentOf(caller, agentKey, memory.model)
    const limits = await limitsOf(caller, agent)
    const by = await summarizerOf(caller, limits, asked)
    const task = {
      runId: randomUUID(),
      iteration: 1,
      agent,
      ...by,
      summary,
      texts: messages
        .slice(0, cut)
        .map(asSaid)
        .map(inWords)
        .filter((text) => text !== ""),
      portionBytes: limits.window / usualTokensPerByte / 2,
      summaryTokens: limits.summaryTokens,
    }
    const attempts: RunAttempt[] = []
    const facts = { runId: task.runId, agentKey, sessionKey: key, ...by, attempts }
    const since = new Date()
    let text: string
    try {
      text = await summarize(caller, task, attempts, AbortSignal.any([signal, AbortSignal.timeout(host.config.timeoutMs)]))
    } catch (error) {
      const cause = (await host.describe(error, caller.locale)) ?? "it took too long"
      record(caller, { ...facts, status: "failed", error: cause }, since)
      throw host.fail("no_summary", { cause }, { cause: error })
    }
    record(caller, { ...facts, status: "completed" }, since)
    const usage = attempts.reduce((total, attempt) => (attempt.usage ? addUsage(total, attempt.usage) : total), noUsage)
    const kept = messages.slice(cut)
    const bytes = kept.reduce((size, { content }) => size + Buffer.byteLength(content), Buffer.byteLength(text))
    const stored = { sessionKey: key, summary: text, from: summarizedTo, to: last.ordinal, tokens: Math.round(bytes * usualTokensPerByte), usage, byHand: true }
    if (!(await sessions.summarize(caller, stored))) throw host.fail("changed_meanwhile", { key: key.slice(0, 100) })
    return { ok: true as const, original, kept: kept.length }
  }
}
