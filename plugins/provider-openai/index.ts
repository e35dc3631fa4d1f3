import { definePlugin, failureOf, type ProviderConnection, type ProviderType, ProviderTypes } from "@plugboard/sdk"
import { createChat } from "./chat.ts"
import { createFailures } from "./failures.ts"
import { manifest } from "./manifest.ts"
import { sdkClient } from "./sdk-client.ts"

export default definePlugin(manifest, (host) => {
  const failures = createFailures(host)
  const chat = createChat(host, failures)

  /** The SDK's errors carry the status and the provider's own object. */
  async function asking<T>({ name, apiKey }: ProviderConnection, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const { status, error: body, cause, headers } = error as { status?: number; error?: object; cause?: unknown; headers?: Headers }
      if (status !== undefined) throw failures.ofStatus(name, apiKey, status, Object.fromEntries(headers ?? []), JSON.stringify({ error: body }))
      throw failures.ofNetwork(name, failureOf(cause) ? cause : error)
    }
  }

  const openai: ProviderType = {
    defaultBaseUrl: "https://api.openai.com/v1",
    defaultModel: "gpt-4o",
    keyless: false,
    environment: ["OPENAI_API_KEY", "GOCLAW_OPENAI_API_KEY"],
    chat,
    models: (connection, signal) =>
      asking(connection, async () => {
        const { data } = await (await sdkClient(host, connection)).models.list({ signal })
        return data.slice(0, 1_000).map(({ id }) => ({ id }))
      }),
    async verify(connection, model, signal) {
      if (model === undefined) {
        await openai.models(connection, signal)
        return
      }
      const request = { model, messages: [{ role: "user" as const, content: "Say ok." }], maxTokens: 50, stream: false }
      for await (const _ of chat(connection, request, signal));
    },
    embed: (connection, model, texts, signal) =>
      asking(connection, async () => {
        const { data } = await (await sdkClient(host, connection)).embeddings.create({ model, input: [...texts], encoding_format: "float" }, { signal })
        return data.sort((a, b) => a.index - b.index).map(({ embedding }) => Float32Array.from(embedding))
      }),
  }
  host.contribute(ProviderTypes, "openai_compat", openai)
  return {}
})
