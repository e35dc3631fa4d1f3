import type { Host, ProviderConnection } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

/** The official client, imported when first needed, on the host's way out. It asks what is asked seldom: models, verification, embeddings. */
export async function sdkClient(host: Host<typeof manifest>, { baseUrl, apiKey }: ProviderConnection) {
  const { default: OpenAI } = await import("openai")
  // The SDK refuses an empty key; providers that need none ignore what stands there.
  return new OpenAI({ baseURL: baseUrl, apiKey: apiKey || "none", fetch: host.http.fetch, maxRetries: 0, timeout: 30_000 })
}
