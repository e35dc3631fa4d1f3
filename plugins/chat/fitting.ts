import { bytesOf, Compaction, type Conversation, failureOf, type Host, type ToolOffer, type Usage } from "@plugboard/sdk"
import { LRUCache } from "lru-cache"
import { keepWhole } from "./attempts.ts"
import type { manifest } from "./manifest.ts"
import type { Run } from "./run.ts"
import type { Telling } from "./telling.ts"

/** Shorter requests are far from any window, and what providers add to each weighs too much in them. */
const leastTokens = 1_000

/**
 * Conversations that outgrow their model's window are made to fit by the service `compaction`, before a request and, when the provider finds it too long all the same, once behind it.
 * Without the service they are sent as they are. What providers count is kept by session: it is the exact number of tokens, by the model's own measure, and costs nothing.
 */
export function createFitting(host: Host<typeof manifest>, { tell }: Telling) {
  const compaction = host.use(Compaction)
  const measured = new LRUCache<string, number>({ max: 5_000 })
  const toolBytes = new WeakMap<object, number>()
  const keyOf = (run: Run) => `${run.caller.tenantId}\n${run.sessionKey}`

  function sizeOfTool({ name, description, parameters }: ToolOffer): number {
    let bytes = toolBytes.get(parameters)
    if (bytes === undefined) {
      bytes = JSON.stringify(parameters).length
      toolBytes.set(parameters, bytes)
    }
    return bytes + name.length + description.length
  }

  function conversationOf(run: Run, besideBytes: number, iteration: number): Conversation {
    const { summary, summarizedTo, truncated, conversation: messages } = run
    const tokensPerByte = measured.get(keyOf(run))
    const asked = { runId: run.id, sessionKey: run.sessionKey, agent: run.request.agent, provider: run.provider, model: run.model, iteration }
    return { ...asked, summary, summarizedTo, messages, truncated, besideBytes, ...(tokensPerByte !== undefined && { tokensPerByte }) }
  }

  async function makeFit(run: Run, conversation: Conversation, refused: boolean): Promise<void> {
    run.activity = { phase: "compacting", iteration: conversation.iteration }
    tell(run, "activity", run.activity)
    const fitted = await compaction.fit(run.caller, conversation, refused, run.signal)
    run.summary = fitted.summary
    run.summarizedTo = fitted.summarizedTo
    run.truncated = false
    run.conversation.splice(0, run.conversation.length, ...fitted.messages)
    for (const attempt of fitted.attempts) keepWhole(run, attempt)
  }

  return {
    besideBytes: (system: string, tools: readonly ToolOffer[]): number => Buffer.byteLength(system) + tools.reduce((sum, tool) => sum + sizeOfTool(tool), 0),
    /** Before a request. A conversation that nobody could make fit is sent as it is. */
    async fit(run: Run, besideBytes: number, iteration: number): Promise<void> {
      if (!host.has(Compaction, run.caller)) return
      try {
        const conversation = conversationOf(run, besideBytes, iteration)
        if (await compaction.outgrown(run.caller, conversation)) await makeFit(run, conversation, false)
      } catch (err) {
        run.signal.throwIfAborted()
        host.log.warn({ err, run: run.id }, "conversation not made to fit")
      }
    },
    /** Behind a request that failed. True: it was too long and is shorter now, so that another try is worth it; once a run. */
    async refit(run: Run, besideBytes: number, iteration: number, error: unknown): Promise<boolean> {
      if (run.refitted || run.text !== "" || !tooLong(error) || run.signal.aborted || !host.has(Compaction, run.caller)) return false
      run.refitted = true
      const before = sizeOf(run)
      try {
        await makeFit(run, conversationOf(run, besideBytes, iteration), true)
      } catch (err) {
        run.signal.throwIfAborted()
        host.log.warn({ err, run: run.id }, "conversation not made to fit")
        return false
      }
      return sizeOf(run) < before
    },
    /** What a provider says that the latest request took. */
    measure(run: Run, besideBytes: number, { promptTokens, estimated }: Usage): void {
      if (!estimated && promptTokens >= leastTokens) measured.set(keyOf(run), promptTokens / (besideBytes + sizeOf(run)))
    },
  }
}

/** In bytes, as the model is shown it. */
function sizeOf({ summary, conversation }: Run): number {
  return conversation.reduce((sum, { message }) => sum + bytesOf(message), Buffer.byteLength(summary))
}

function tooLong(error: unknown): boolean {
  const name = failureOf(error)?.name ?? ""
  return name.slice(name.indexOf(".") + 1) === "provider_context_length"
}
