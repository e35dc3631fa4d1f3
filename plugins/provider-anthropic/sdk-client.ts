import type { ProviderConnection, ProviderHost } from "@plugboard/sdk"
import { originOf } from "./request.ts"

const own = /^(accept|anthropic-version|content-type|user-agent|x-api-key|x-stainless-.+)$/i

/** The official client, imported when first needed, on the host's way out. It asks what is asked seldom: the list of models. */
export async function sdkClient(host: ProviderHost, connection: ProviderConnection) {
  const { default: Anthropic } = await import("@anthropic-ai/sdk")
  const key = connection.apiKey || "none"
  return new Anthropic({
    baseURL: originOf(connection),
    // Without one it looks for credentials in the gateway's environment and files, and would send what is the operator's to a tenant's provider.
    apiKey: key,
    // It says Bearer by itself; what stands in for the API elsewhere knows this header.
    defaultHeaders: { "x-api-key": key },
    webhookKey: null,
    logLevel: "off",
    // Nor may ANTHROPIC_CUSTOM_HEADERS leave.
    fetch: (url, init) => host.http.fetch(url, { ...init, headers: [...new Headers(init?.headers)].filter(([name]) => own.test(name)) }),
    maxRetries: 0,
    timeout: 30_000,
  })
}
