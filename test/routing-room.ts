import { setTimeout as sleep } from "node:timers/promises"
import { defineManifest, definePlugin, type LlmFailure, type LlmRecovery, type RouteLink, type RunAttempt } from "@plugboard/sdk"
import { type TestGateway, type TestGatewayOptions, testGateway } from "@plugboard/sdk/testing"
import OpenAI from "openai"
import { spoken, words } from "./upstream/format.ts"
import { openAiFormat, startUpstream, type Upstream } from "./upstream/openai.ts"
import type { Reply } from "./upstream/server.ts"

interface RoutedRun {
  status: string
  error: string | null
  provider: string
  model: string
  usage: { promptTokens: number; completionTokens: number; estimated?: boolean }
  attempts: readonly RunAttempt[]
}

/** A gateway with several fake providers, agents that fall back from one to another, and a plugin that hears of every failure. */
export interface RoutingRoom {
  gateway: TestGateway
  /** What `llm.failed` was told. */
  failures: LlmFailure[]
  /** What that plugin answers; undefined: nothing. */
  recover(answer: ((failure: LlmFailure) => LlmRecovery | undefined) | undefined): void
  /** A provider of that name, and its upstream. */
  provider(name: string, more?: { settings?: object; api_key?: string; upstreamKey?: string }): Promise<Upstream>
  agent(key: string, first: RouteLink, candidates?: readonly RouteLink[], more?: { strategy?: string }): Promise<void>
  /** OpenAI's own client, which repeats nothing by itself. */
  openai(user: string): Promise<OpenAI>
  /** The text of a streamed answer of an agent, or the error and what came before it. */
  ask(user: string, agent: string, signal?: AbortSignal): Promise<{ text: string; chunks: number; error?: InstanceType<typeof OpenAI.APIError> }>
  /** The newest run of a user, once it has ended. */
  ended(user: string): Promise<RoutedRun>
  close(): Promise<void>
}

export async function routingRoom(options: TestGatewayOptions = {}): Promise<RoutingRoom> {
  const failures: LlmFailure[] = []
  let recovery: ((failure: LlmFailure) => LlmRecovery | undefined) | undefined
  const listener = definePlugin(defineManifest({ id: "failure-listener", version: "1.0.0", sdk: "^1.0.0", hooks: { "llm.failed": { phase: "retry", failure: "open" } } }), () => ({
    hooks: {
      "llm.failed": (failure) => {
        failures.push(failure)
        return recovery?.(failure)
      },
    },
  }))
  const gateway = await testGateway({ ...options, plugins: [listener, ...(options.plugins ?? [])] })
  const upstreams: Upstream[] = []
  const openai = async (user: string) => {
    // Admins may use every agent.
    const { key } = await gateway.as("admin", "master", user)
    return new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: key, maxRetries: 0 })
  }
  return {
    gateway,
    failures,
    recover: (answer) => {
      recovery = answer
    },
    async provider(name, { upstreamKey, ...more } = {}) {
      const upstream = await startUpstream({ key: upstreamKey })
      upstreams.push(upstream)
      const made = await gateway.as("admin").post("/v1/providers", { name, provider_type: "openai_compat", api_base: upstream.url, api_key: `sk-${name}-0123456789`, ...more })
      if (made.status !== 201) throw new Error(JSON.stringify(made.body))
      return upstream
    },
    async agent(key, first, candidates = [], more = {}) {
      const agent = { ...first, ...(candidates.length > 0 && { model_fallback: { candidates, ...more } }) }
      const made = await gateway.as("admin").post("/v1/agents", { agent_key: key, ...agent })
      if (made.status >= 300) throw new Error(JSON.stringify(made.body))
    },
    openai,
    async ask(user, agent, signal) {
      let text = ""
      let chunks = 0
      try {
        const stream = await (await openai(user)).chat.completions.create(
          { model: `agent:${agent}`, messages: [{ role: "user", content: "hello there" }], stream: true },
          { signal },
        )
        for await (const { choices } of stream) {
          text += choices[0]?.delta.content ?? ""
          chunks += 1
        }
        return { text, chunks }
      } catch (error) {
        if (error instanceof OpenAI.APIError) return { text, chunks, error }
        throw error
      }
    },
    async ended(user) {
      for (;;) {
        const sql = "SELECT status, error, provider, model, usage, attempts FROM sessions.runs WHERE user_id = $1 ORDER BY created_at DESC, id LIMIT 1"
        const [run] = (await gateway.executeSql(sql, [user])).rows as unknown as RoutedRun[]
        if (run && run.status !== "running" && run.status !== "queued") return run
        await sleep(20)
      }
    },
    async close() {
      await gateway.close()
      for (const upstream of upstreams) await upstream.close()
    },
  }
}

/** A whole streamed answer of some words. */
export function sayWords(reply: Reply, count: number): void {
  reply.start(spoken(openAiFormat.voice("m"), { texts: words(count), finish: "stop", spent: { prompt: 20, completion: count } })).end()
}

/** Names of what was tried, in order: `provider/model error`, or `provider/model` for the one that answered. */
export function tried({ attempts }: Pick<RoutedRun, "attempts">): string[] {
  return attempts.map(({ provider, model, error }) => `${provider}/${model}${error === undefined ? "" : ` ${error}`}`)
}
