import type { IncomingMessage } from "node:http"
import { isLoopback } from "../config.ts"

/**
 * May a page of this origin open a socket? Programs send no Origin and always may. A list decides where there is one; without a list any origin may, since it brings a token.
 * Where authentication is off only pages of this machine may, or any page on the web could drive a local gateway.
 * The Host header does not count: a foreign page whose name was made to resolve to this machine sends its own name in both headers.
 */
export function originAllowed(request: IncomingMessage, allowed: readonly string[], authenticationOff: boolean): boolean {
  const { origin } = request.headers
  if (origin === undefined) return true
  if (allowed.length > 0) return allowed.includes("*") || allowed.includes(origin)
  if (!authenticationOff) return true
  return URL.canParse(origin) && isLoopback(new URL(origin).hostname.replace(/^\[|\]$/g, ""))
}
