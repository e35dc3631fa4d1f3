import { setTimeout as sleep } from "node:timers/promises"
import { type TestClient, type TestGateway, type TestGatewayOptions, testGateway } from "@plugboard/sdk/testing"
import OpenAI from "openai"
import { startUpstream, type Upstream } from "./upstream/openai.ts"

export const upstreamKey = "sk-upstream-0123456789"

export interface StoredRun {
  id: string
  status: string
  error: string | null
  usage: { promptTokens: number; completionTokens: number; estimated?: boolean } | null
}

/** A gateway whose master tenant asks the fake upstream. The model of a call, and with it what goes wrong, is chosen by `x-goclaw-model` or `modelOverride`. */
export interface ChatRoom {
  gateway: TestGateway
  upstream: Upstream
  /** An operator. */
  user(name: string): Promise<TestClient>
  /** That user's client of OpenAI's API, which repeats nothing by itself. `model`: the upstream's. */
  openai(name: string, model?: string): Promise<OpenAI>
  /** Runs of a user, newest first. */
  runs(user: string): Promise<StoredRun[]>
  /** The newest run of a user, once it has ended. */
  ended(user: string): Promise<StoredRun>
  close(): Promise<void>
}

export async function chatRoom(options: TestGatewayOptions = {}): Promise<ChatRoom> {
  const upstream = await startUpstream()
  const gateway = await testGateway(options)
  await gateway.as("admin").post("/v1/providers", { name: "upstream", provider_type: "openai_compat", api_base: upstream.url, api_key: upstreamKey })
  const user = (name: string) => gateway.as("operator", "master", name)
  const runs: ChatRoom["runs"] = async (name) =>
    (await gateway.executeSql("SELECT id::text, status, error, usage FROM sessions.runs WHERE user_id = $1 ORDER BY created_at DESC, id", [name])).rows as unknown as StoredRun[]
  return {
    gateway,
    upstream,
    user,
    async openai(name, model) {
      const { key } = await user(name)
      return new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: key, maxRetries: 0, defaultHeaders: model ? { "x-goclaw-model": model } : {} })
    },
    runs,
    async ended(name) {
      for (;;) {
        const [run] = await runs(name)
        if (run && run.status !== "running" && run.status !== "queued") return run
        await sleep(20)
      }
    },
    async close() {
      await gateway.close()
      await upstream.close()
    },
  }
}
