import { answersOver, type ProviderConnection, type ProviderHost, type ProviderType, providerFailures, withInlineImages } from "@plugboard/sdk"
import { addressOf, pathOf } from "./address.ts"
import { ContentReader } from "./answer.ts"
import { complaints } from "./complaints.ts"
import { requestBody } from "./request.ts"
import { sdkClient } from "./sdk-client.ts"

/** The SDK keeps the body as the text of its error. */
const bodyOf = (error: { message?: string }) => error.message ?? ""
/** What one call embeds at most. Source: the public API reference, "batchEmbedContents". */
const textsAtOnce = 100

export function geminiType(host: ProviderHost): ProviderType {
  const failures = providerFailures(host, complaints)
  const chat = answersOver(
    host,
    {
      async ask(connection, request, signal) {
        const path = pathOf(request.model)
        if (path === undefined) throw failures.make("provider_not_found", connection.name, `${request.model.slice(0, 100)} is no model's name`)
        const { root, version } = addressOf(connection)
        const asked = await withInlineImages(host, failures, connection, request, signal)
        return {
          url: `${root}/${version}/${path}:${request.stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
          headers: { ...(connection.apiKey !== "" && { "x-goog-api-key": connection.apiKey }) },
          body: JSON.stringify(requestBody(asked, connection)),
        }
      },
      reader: () => new ContentReader(),
    },
    failures,
  )

  const type: ProviderType = {
    defaultBaseUrl: "https://generativelanguage.googleapis.com/v1beta/openai",
    defaultModel: "gemini-2.0-flash",
    keyless: false,
    environment: ["GEMINI_API_KEY", "GOCLAW_GEMINI_API_KEY"],
    chat,
    models: (connection, signal) =>
      failures.asking(connection, signal, bodyOf, async () => {
        const models: { id: string; name?: string }[] = []
        const pages = await (await sdkClient(host, connection)).models.list({ config: { pageSize: 1_000, abortSignal: signal } })
        for await (const { name = "", displayName, supportedActions } of pages) {
          if (supportedActions && !supportedActions.includes("generateContent")) continue
          models.push({ id: name.replace(/^models\//, ""), ...(displayName && { name: displayName }) })
          if (models.length >= 1_000) break
        }
        return models
      }),
    async verify(connection, model, signal) {
      if (model === undefined) await type.models(connection, signal)
      else await say(connection, model, signal)
    },
    embed: (connection, model, texts, signal) =>
      failures.asking(connection, signal, bodyOf, async () => {
        const client = await sdkClient(host, connection)
        const vectors: Float32Array[] = []
        for (let at = 0; at < texts.length; at += textsAtOnce) {
          const { embeddings = [] } = await client.models.embedContent({ model, contents: texts.slice(at, at + textsAtOnce), config: { abortSignal: signal } })
          vectors.push(...embeddings.map(({ values = [] }) => Float32Array.from(values)))
        }
        return vectors
      }),
  }

  async function say(connection: ProviderConnection, model: string, signal: AbortSignal): Promise<void> {
    const request = { model, messages: [{ role: "user" as const, content: "Say ok." }], maxTokens: 50, stream: false }
    for await (const _ of chat(connection, request, signal));
  }
  return type
}
