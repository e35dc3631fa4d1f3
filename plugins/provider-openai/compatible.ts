import {
  answersOver,
  isError,
  type OpenAiCompatibleService,
  type OpenAiDialect,
  type ProviderConnection,
  type ProviderHost,
  type ProviderType,
  providerFailures,
} from "@plugboard/sdk"
import { complaints } from "./complaints.ts"
import { forwarding } from "./forward.ts"
import { addressOf, chatCompletions } from "./protocol.ts"
import { sdkClient } from "./sdk-client.ts"

/** The SDK keeps the object that stood under `error`, or all of the body. */
const bodyOf = (error: { error?: unknown }) => JSON.stringify({ error: error.error })

/** What types that speak OpenAI's format are made of: chat over the cheap way out, what is asked seldom through the official package. */
export function openAiCompatible(host: ProviderHost): OpenAiCompatibleService {
  const failures = providerFailures(host, complaints)
  const chats = new Map<string, ProviderType["chat"]>()

  /** Few dialects, each its own functions; a call looks for them by what it says. */
  function chatIn(dialect: OpenAiDialect): ProviderType["chat"] {
    const key = JSON.stringify(dialect)
    const chat = chats.get(key) ?? answersOver(host, chatCompletions(host, failures, dialect), failures)
    chats.set(key, chat)
    return chat
  }

  const client = (dialect: OpenAiDialect, connection: ProviderConnection) => sdkClient(host, { ...connection, baseUrl: addressOf(connection.baseUrl, dialect) })

  const openai: OpenAiCompatibleService = {
    chat: (dialect, connection, request, signal) => chatIn(dialect)(connection, request, signal),
    forward: forwarding(host, failures),
    models: (dialect, connection, signal) =>
      failures.asking(connection, signal, bodyOf, async () => {
        const { data } = await (await client(dialect, connection)).models.list({ signal })
        if (!Array.isArray(data)) throw failures.make("provider_not_found", connection.name, "there is no list of models at this address")
        return data.slice(0, 1_000).map(({ id }) => ({ id }))
      }),
    async verify(dialect, connection, model, signal) {
      if (model !== undefined) return say(dialect, connection, model, signal)
      try {
        await openai.models(dialect, connection, signal)
      } catch (error) {
        // Some of the kin have no list.
        if (!isError(error, "provider-openai.provider_not_found")) throw error
        await say(dialect, connection, dialect.defaultModel, signal)
      }
    },
    embed: (dialect, connection, model, texts, signal) =>
      failures.asking(connection, signal, bodyOf, async () => {
        const { data } = await (await client(dialect, connection)).embeddings.create({ model, input: [...texts], encoding_format: "float" }, { signal })
        return data.sort((a, b) => a.index - b.index).map(({ embedding }) => Float32Array.from(embedding))
      }),
  }

  async function say(dialect: OpenAiDialect, connection: ProviderConnection, model: string, signal: AbortSignal): Promise<void> {
    const request = { model, messages: [{ role: "user" as const, content: "Say ok." }], maxTokens: 50, stream: false }
    for await (const _ of openai.chat(dialect, connection, request, signal));
  }
  return openai
}
