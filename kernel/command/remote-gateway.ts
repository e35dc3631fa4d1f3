import type { GatewayConfig } from "../config.ts"
import { fail } from "../failures.ts"

/** How long to wait for a gateway's first sign of life, in ms. A loaded one takes a while. */
const greetingMs = 5_000

/** One request to a gateway, as whoever holds its token. Fails with its own words. */
export type Ask = <T>(method: string, path: string, body?: object | Uint8Array) => Promise<T>

/** The gateway that listens there; undefined when nothing does. Fails when something else does. */
export async function findGateway({ host, port, token }: Pick<GatewayConfig, "host" | "port" | "token">): Promise<Ask | undefined> {
  const url = `http://${reachable(host)}:${port}`
  const greeting = await fetch(`${url}/health`, { signal: AbortSignal.timeout(greetingMs) }).catch((error: { cause?: { code?: string } }) => {
    if (error.cause?.code === "ECONNREFUSED") return undefined
    throw fail("unavailable", {}, { text: `Something at ${url} does not answer. See whether a gateway runs there, or set PLUGBOARD_PORT to its port.`, cause: error })
  })
  if (!greeting) return undefined
  const { protocol } = (await greeting.json().catch(() => ({}))) as { protocol?: unknown }
  if (protocol === undefined) throw fail("unavailable", {}, { text: `What answers at ${url} is no Plugboard gateway. Set PLUGBOARD_PORT to the gateway's port.` })
  return askAt(url, token)
}

function askAt(url: string, token: string | undefined): Ask {
  return async <T>(method: string, path: string, body?: object | Uint8Array) => {
    const bytes = body instanceof Uint8Array
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        // With the token it says who acts; the gateway takes it for an owner when it is one.
        "x-goclaw-user-id": "system",
        "content-type": bytes ? "application/gzip" : "application/json",
      },
      body: bytes ? new Blob([body as Uint8Array<ArrayBuffer>]) : body && JSON.stringify(body),
    })
    const answer = (await response.json().catch(() => ({}))) as T & { error?: string }
    if (response.status === 401)
      throw fail("unauthenticated", {}, { text: `The gateway at ${url} takes no command without its token. Set PLUGBOARD_TOKEN to what it was started with.` })
    if (!response.ok) throw fail("unavailable", {}, { text: answer.error ?? `The gateway at ${url} answered ${response.status}.` })
    return answer
  }
}

/** An address to listen on may be one that nobody can call. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1"
  return host.includes(":") ? `[${host}]` : host
}
