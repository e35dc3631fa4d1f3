import type { IncomingMessage } from "node:http"
import type { Caller, Locale } from "@plugboard/sdk"
import type { Credentials } from "../auth/auth.ts"
import { masterTenantId, masterTenantSlug } from "../tenancy.ts"

/** Everything that a client shows of itself. Source: wire contract, http-core 1.1. */
export function credentialsOf(request: IncomingMessage, locale: Locale): Credentials {
  const {
    authorization,
    "x-api-key": apiKey,
    "x-goclaw-user-id": user,
    "x-goclaw-tenant-id": tenant,
    "x-goclaw-sender-id": sender,
  } = request.headers as Record<string, string | undefined>
  return {
    // Anthropic's clients send the second, some beside a bearer token, which counts then.
    token: authorization === undefined ? apiKey?.trim() || undefined : tokenOf(authorization),
    userId: user ? decodeHeader(user) : undefined,
    tenantRefs: tenant ? [decodeHeader(tenant)] : [],
    senderId: sender ? decodeHeader(sender) : undefined,
    locale,
    address: addressOf(request),
  }
}

/** Of the connection itself: no header decides what address a client has. */
export function addressOf(request: IncomingMessage): string {
  const address = request.socket.remoteAddress ?? ""
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address
}

/** The caller of a public route: nobody, who may do nothing that has a role. */
export function nobody(request: IncomingMessage, locale: Locale): Caller {
  return { tenantId: masterTenantId, tenantSlug: masterTenantSlug, userId: "", role: "viewer", scopes: [], locale, via: "open", address: addressOf(request) }
}

function tokenOf(authorization: string): string | undefined {
  return /^bearer +(.+)$/i.exec(authorization)?.[1]?.trim() || undefined
}

/** Node reads header bytes as Latin-1; clients write UTF-8. */
function decodeHeader(text: string): string {
  return /[\x80-\xff]/.test(text) ? Buffer.from(text, "latin1").toString("utf8") : text
}
