import { createServer } from "node:http"
import { type AddressInfo, connect, type Socket } from "node:net"
import type { Caller, Manifest, RouteDecl, RouteRequest } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Auth, Credentials } from "../auth/auth.ts"
import { master } from "../auth/directory.ts"
import { demandAccess } from "../auth/powers.ts"
import { fail } from "../failures.ts"
import { createLog, Redactor } from "../log.ts"
import { loadTexts } from "../plugins/texts.ts"
import type { Registry, RouteEntry } from "../registry.ts"
import { masterTenantId } from "../tenancy.ts"
import { createHttp, type HttpRooms } from "./create.ts"

export interface ScratchRoute {
  decl: RouteDecl
  handle(request: RouteRequest<RouteDecl>): unknown
}
type Routes = Record<string, ScratchRoute>

export interface ScratchHttp {
  url: string
  port: number
  logs: string[]
  /** What was shown at the door, request by request. */
  shown: Credentials[]
  /** The same picture with other routes, as after a plugin was switched. */
  serve(routes: Routes): void
  /** Bytes as they are; the answer is all that came until the connection ended or `ms` went by. */
  send(bytes: string | Buffer, ms?: number): Promise<string>
  open(): Promise<Socket>
  stop(): void
  close(): Promise<void>
}

// Holds no tests: the name keeps it out of the package, and lets it open sockets of its own.

/** The HTTP room alone, over routes of the test. The token is the role: `Bearer operator`; `Bearer nobody` is refused. */
export async function scratchHttp(routes: Routes, changes: Partial<HttpRooms> & { waitMs?: number } = {}): Promise<ScratchHttp> {
  const logs: string[] = []
  const shown: Credentials[] = []
  const stopping = new AbortController()
  const listeners: ((registry: Registry) => void)[] = []
  const source = {
    current: registryOf(routes),
    onChange: (listener: (registry: Registry) => void) => {
      listeners.push(listener)
      return () => undefined
    },
  }
  const auth: Auth = {
    async resolve(credentials) {
      shown.push(credentials)
      const role = credentials.token as Caller["role"] | "nobody" | undefined
      if (role === undefined || role === "nobody") throw fail("unauthenticated")
      return { tenantId: masterTenantId, tenantSlug: "master", userId: credentials.userId ?? "u", role, scopes: [], locale: credentials.locale, via: "key" }
    },
    check: demandAccess,
    spend: () => changes.waitMs ?? 0,
    onKeyRevoked: () => undefined,
    tenant: async () => null,
    tenantNamed: async () => master,
    close: async () => undefined,
  }
  const log = createLog({ level: "debug", redactor: new Redactor(), write: (line) => logs.push(line) })
  const rooms: HttpRooms = {
    config: { allowedOrigins: [] },
    log,
    auth,
    registry: source,
    authorized: async () => undefined,
    overloaded: () => false,
    stopping: stopping.signal,
  }
  const http = createHttp({ ...rooms, ...changes })
  const server = createServer(http.serverOptions, http.handler)
  http.adopt(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const open = () =>
    new Promise<Socket>((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(socket))
      socket.on("error", reject)
    })
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    logs,
    shown,
    serve(next) {
      source.current = registryOf(next)
      for (const listener of listeners) listener(source.current)
    },
    async send(bytes, ms = 2_000) {
      const socket = await open()
      let text = ""
      socket.on("data", (part) => {
        text += part.toString("latin1")
      })
      socket.write(bytes)
      await Promise.race([new Promise((resolve) => socket.once("close", resolve)), new Promise((resolve) => setTimeout(resolve, ms))])
      socket.destroy()
      return text
    },
    open,
    stop: () => stopping.abort(),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function registryOf(routes: Routes): Registry {
  const entries = Object.entries(routes).map(([name, { decl, handle }]): RouteEntry => ({ plugin: "scratch", name, decl, handle: async (request) => handle(request) }))
  const manifest: Manifest = { id: "scratch", version: "1.0.0", sdk: "^1.0.0", routes: Object.fromEntries(Object.entries(routes).map(([name, { decl }]) => [name, decl])) }
  const texts = new Map([["kernel", loadTexts(`${import.meta.dirname}/..`)]])
  return { routes: entries, methods: new Map(), events: new Map(), manifests: [manifest], texts, isOff: () => false }
}

/** A route for viewers that answers `{}`, but for what is said otherwise. */
export function route(decl: Partial<RouteDecl> & Pick<RouteDecl, "path">, handle: ScratchRoute["handle"] = () => ({})): ScratchRoute {
  const access = decl.auth === undefined ? { role: "viewer" } : {}
  return { decl: { method: "GET", ...access, summary: "A route", reply: Type.Object({}), ...decl } as RouteDecl, handle }
}

export const viewer = { authorization: "Bearer viewer" }
