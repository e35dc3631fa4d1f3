import type { IncomingMessage } from "node:http"
import { isLoopback } from "../config.ts"

/**
 * May a page of this origin open a socket? Programs send no Origin and always may. A list decides where there is one; without a list any origin may,
 * since it brings a token: but where authentication is off, only pages of this machine, or any page on the web could drive a local gateway.
 */
export function originAllowed(request: IncomingMessage, allowed: readonly string[], open: boolean): boolean {
  const { origin } = request.headers
  if (origin === undefined) return true
  if (allowed.length > 0) return allowed.includes("*") || allowed.includes(origin)
  if (!open) return true
  try {
    return isLoopback(new URL(origin).hostname.replace(/^\[|\]$/g, ""))
  } catch {
    return false
  }
}
