import { failureOf, type Host, isError, type ProviderConnection, type ProviderType } from "@plugboard/sdk"
import { createChat } from "./chat.ts"
import { createFailures } from "./failures.ts"
import type { manifest } from "./manifest.ts"
import { sdkClient } from "./sdk-client.ts"

/** A type that speaks OpenAI's wire format, made of what is its own. */
export function openAiCompatible(host: Host<typeof manifest>, own: Pick<ProviderType, "defaultBaseUrl" | "defaultModel" | "keyless" | "environment">): ProviderType {
  const failures = createFailures(host)
  const chat = createChat(host, failures)

  /** The SDK's errors carry the status and the provider's own object. */
  async function asking<T>({ name, apiKey }: ProviderConnection, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      const { status, error: body, cause, headers } = error as { status?: number; error?: object; cause?: unknown; headers?: Headers }
      if (status !== undefined) throw failures.ofStatus(name, apiKey, status, Object.fromEntries(headers ?? []), JSON.stringify({ error: body }))
      const known = failureOf(cause) ? cause : error
      throw failureOf(known)
        ? failures.ofNetwork(name, known)
        : failures.make("provider_bad_request", name, failures.withoutKey((error as Error).message, apiKey), { cause: error })
    }
  }

  const type: ProviderType = {
    ...own,
    chat,
    models: (connection, signal) =>
      asking(connection, signal, async () => {
        const { data } = await (await sdkClient(host, connection)).models.list({ signal })
        if (!Array.isArray(data)) throw failures.make("provider_not_found", connection.name, "there is no list of models at this address")
        return data.slice(0, 1_000).map(({ id }) => ({ id }))
      }),
    async verify(connection, model, signal) {
      if (model !== undefined) return say(connection, model, signal)
      try {
        await type.models(connection, signal)
      } catch (error) {
        // Some of the kin have no list.
        if (!isError(error, "provider-openai.provider_not_found")) throw error
        await say(connection, own.defaultModel, signal)
      }
    },
    embed: (connection, model, texts, signal) =>
      asking(connection, signal, async () => {
        const { data } = await (await sdkClient(host, connection)).embeddings.create({ model, input: [...texts], encoding_format: "float" }, { signal })
        return data.sort((a, b) => a.index - b.index).map(({ embedding }) => Float32Array.from(embedding))
      }),
  }

  async function say(connection: ProviderConnection, model: string, signal: AbortSignal): Promise<void> {
    const request = { model, messages: [{ role: "user" as const, content: "Say ok." }], maxTokens: 50, stream: false }
    for await (const _ of chat(connection, request, signal));
  }
  return type
}
