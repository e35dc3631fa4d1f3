import type { IncomingMessage } from "node:http"

/** Headers for pages of the configured origins; none otherwise, and never a credential by cookie. Source: wire contract, http-core 1.5. */
export function crossOrigin(request: IncomingMessage, allowed: readonly string[]): Record<string, string> | undefined {
  const { origin } = request.headers
  if (origin === undefined || allowed.length === 0 || !(allowed.includes("*") || allowed.includes(origin))) return undefined
  return {
    "access-control-allow-origin": origin,
    vary: "Origin",
    "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers": "Authorization, Content-Type, Accept-Language, Idempotency-Key, X-GoClaw-User-Id, X-GoClaw-Agent-Id, X-GoClaw-Agent, X-GoClaw-Tenant-Id, X-GoClaw-Sender-Id",
    "access-control-max-age": "600",
  }
}
