import type { Role } from "../caller.ts"
import { openRpc, type RpcClient } from "./rpc-client.ts"

export interface Answer {
  status: number
  headers: Headers
  /** Parsed JSON, or the text when it is not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the gateway answered, and fails by itself when it is something else.
  body: any
}

/** One credential of one user in one tenant, over HTTP and RPC. */
export interface TestClient {
  readonly role: Role
  readonly tenantId: string
  readonly userId: string
  /** What goes after `Bearer`. */
  readonly key: string
  get(path: string, headers?: Record<string, string>): Promise<Answer>
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  put(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  patch(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  delete(path: string, headers?: Record<string, string>): Promise<Answer>
  /** The plain response, for streams. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** A socket that has connected with this credential. Closed with the gateway. */
  rpc(params?: Record<string, unknown>): Promise<RpcClient>
}

export function createClient(
  url: string,
  who: { role: Role; tenantId: string; userId: string; key: string; headers?: Record<string, string> },
  sockets: Set<RpcClient>,
): TestClient {
  const authorization = { authorization: `Bearer ${who.key}`, ...who.headers }
  async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(url + path, {
      method,
      headers: { ...authorization, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: parse(text) }
  }
  return {
    role: who.role,
    tenantId: who.tenantId,
    userId: who.userId,
    key: who.key,
    get: (path, headers) => send("GET", path, undefined, headers),
    post: (path, body, headers) => send("POST", path, body, headers),
    put: (path, body, headers) => send("PUT", path, body, headers),
    patch: (path, body, headers) => send("PATCH", path, body, headers),
    delete: (path, headers) => send("DELETE", path, undefined, headers),
    fetch: (path, init = {}) => fetch(url + path, { ...init, headers: { ...authorization, ...init.headers } }),
    async rpc(params = {}) {
      const client = await openRpc(url)
      sockets.add(client)
      await client.call("connect", { token: who.key, user_id: who.userId, tenant_id: who.tenantId, locale: "en", ...params })
      return client
    },
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
