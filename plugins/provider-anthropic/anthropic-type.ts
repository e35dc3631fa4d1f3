import { answersOver, type ProviderConnection, type ProviderHost, type ProviderType, providerFailures } from "@plugboard/sdk"
import { MessageReader } from "./answer.ts"
import { complaints } from "./complaints.ts"
import { originOf, requestBody } from "./request.ts"
import { sdkClient } from "./sdk-client.ts"

/** The version of the API that this speaks. Source: the public API reference, "Versions". */
const version = "2023-06-01"
/** The SDK keeps the whole body. */
const bodyOf = (error: { error?: unknown }) => JSON.stringify(error.error)

export function anthropicType(host: ProviderHost): ProviderType {
  const failures = providerFailures(host, complaints)
  const chat = answersOver(
    host,
    {
      ask: (connection, request) => ({
        url: `${originOf(connection)}/v1/messages`,
        headers: { "anthropic-version": version, ...(connection.apiKey !== "" && { "x-api-key": connection.apiKey }) },
        body: JSON.stringify(requestBody(request, connection)),
      }),
      reader: () => new MessageReader(),
    },
    failures,
  )

  const type: ProviderType = {
    defaultBaseUrl: "https://api.anthropic.com",
    defaultModel: "claude-sonnet-4-5-20250929",
    keyless: false,
    environment: ["ANTHROPIC_API_KEY", "GOCLAW_ANTHROPIC_API_KEY"],
    chat,
    models: (connection, signal) =>
      failures.asking(connection, signal, bodyOf, async () => {
        const { data } = await (await sdkClient(host, connection)).models.list({ limit: 1_000 }, { signal })
        return data.map(({ id, display_name: name }) => ({ id, name }))
      }),
    async verify(connection, model, signal) {
      if (model === undefined) await type.models(connection, signal)
      else await say(connection, model, signal)
    },
  }

  async function say(connection: ProviderConnection, model: string, signal: AbortSignal): Promise<void> {
    const request = { model, messages: [{ role: "user" as const, content: "Say ok." }], maxTokens: 50, stream: false }
    for await (const _ of chat(connection, request, signal));
  }
  return type
}
