import type { ProviderConnection, ProviderHost } from "@plugboard/sdk"

const own = /^(accept|authorization|content-type|user-agent|x-stainless-.+)$/i

/** The official client, imported when first needed, on the host's way out. It asks what is asked seldom: models, verification, embeddings. */
export async function sdkClient(host: ProviderHost, { baseUrl, apiKey }: ProviderConnection) {
  const { default: OpenAI } = await import("openai")
  // The SDK refuses an empty key; providers that need none ignore what stands there.
  const key = apiKey || "none"
  return new OpenAI({
    baseURL: baseUrl,
    apiKey: key,
    // Otherwise it reads these, and OPENAI_CUSTOM_HEADERS, from the gateway's environment, and sends what is the operator's to a tenant's provider.
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    logLevel: "off",
    defaultHeaders: { authorization: `Bearer ${key}` },
    fetch: (url, init) => host.http.fetch(url, { ...init, headers: [...new Headers(init?.headers)].filter(([name]) => own.test(name)) }),
    maxRetries: 0,
    timeout: 30_000,
  })
}
