import type { IncomingMessage } from "node:http"

/** Headers for pages of the configured origins; none otherwise, and never a credential by cookie. Source: wire contract, http-core 1.5. */
export function crossOrigin(request: IncomingMessage, allowed: readonly string[]): Record<string, string> | undefined {
  if (allowed.length === 0) return undefined
  const { origin } = request.headers
  // So that a cache does not give one origin's answer to another.
  const vary = { vary: "Origin" }
  if (origin === undefined || !(allowed.includes("*") || allowed.includes(origin))) return vary
  const headers = { ...vary, "access-control-allow-origin": origin, "access-control-expose-headers": "X-Request-Id, X-Run-Id, X-Cache, Retry-After, ETag, Content-Disposition" }
  return isPreflight(request) ? { ...headers, ...preflight } : headers
}

export function isPreflight(request: IncomingMessage): boolean {
  return request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined
}

const preflight = {
  "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
  "access-control-allow-headers":
    "Authorization, X-Api-Key, Anthropic-Version, Anthropic-Beta, Cache-Control, Content-Type, Accept-Language, Idempotency-Key, Last-Event-ID, X-Stream-Ids, X-GoClaw-User-Id, X-GoClaw-Agent-Id, X-GoClaw-Agent, X-GoClaw-Tenant-Id, X-GoClaw-Sender-Id",
  "access-control-max-age": "600",
}
