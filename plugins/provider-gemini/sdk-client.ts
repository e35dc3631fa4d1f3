import type { ProviderConnection, ProviderHost } from "@plugboard/sdk"
import { addressOf } from "./address.ts"

/**
 * The official client, imported when first needed, on the host's way out. It asks what is asked seldom: models, embeddings.
 * Its build for browsers, since the other one looks into the gateway's environment and brings Google's log-in.
 */
export async function sdkClient(host: ProviderHost, connection: ProviderConnection) {
  const { GoogleGenAI } = await import("@google/genai/web")
  const { root, version } = addressOf(connection)
  return new GoogleGenAI({ apiKey: connection.apiKey || "none", httpOptions: { baseUrl: root, apiVersion: version, timeout: 30_000, fetch: host.http.fetch } })
}
