import { createServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { join } from "node:path"
import { type EventDecl, type Role, type RpcCall, type RpcDecl, roles } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Auth } from "../auth/auth.ts"
import { master } from "../auth/directory.ts"
import { demandAccess } from "../auth/powers.ts"
import { EventBus } from "../events.ts"
import { fail } from "../failures.ts"
import { createLog, Redactor } from "../log.ts"
import { loadTexts } from "../plugins/texts.ts"
import type { Registry } from "../registry.ts"
import { masterTenantId } from "../tenancy.ts"
import { createRpc, type Rpc, type RpcRooms } from "./create.ts"

export interface ScratchMethod {
  decl?: Partial<RpcDecl>
  handle(params: never, call: RpcCall): Promise<unknown>
}

export interface ScratchRpc {
  readonly url: string
  readonly rpc: Rpc
  readonly bus: EventBus
  readonly logs: string[]
  /** The server's ends, in the order in which clients came. */
  readonly sockets: Socket[]
  /** As if the key had been revoked. */
  revoke(keyId: string): void
  stop(): Promise<void>
}

/**
 * The socket side alone behind an HTTP server of its own; methods and events are those of a plugin named `test`. For tests.
 * A token `<role>.<user>[.<tenant>]` is a key of that name that lets its holder in as that; any other token is none.
 */
export async function scratchRpc(
  options: { methods?: Record<string, ScratchMethod>; events?: Record<string, Partial<EventDecl> & Pick<EventDecl, "to">>; auth?: Partial<Auth> } & Omit<
    Partial<RpcRooms>,
    "auth"
  > = {},
): Promise<ScratchRpc> {
  const { methods = {}, events = {}, auth, ...rooms } = options
  const logs: string[] = []
  const sockets: Socket[] = []
  const revoked: ((keyId: string) => void)[] = []
  const bus = new EventBus((error) => {
    throw error
  })
  const current: Registry = {
    routes: [],
    manifests: [],
    isOff: () => false,
    texts: new Map([["kernel", loadTexts(join(import.meta.dirname, ".."))]]),
    methods: new Map(
      Object.entries(methods).map(([method, { decl, handle }]) => [
        method,
        {
          plugin: "test",
          method,
          decl: { role: "viewer", summary: method, result: Type.Any(), ...decl } as RpcDecl,
          handle: handle as (params: unknown, call: RpcCall) => Promise<unknown>,
        },
      ]),
    ),
    events: new Map(Object.entries(events).map(([name, decl]) => [name, { plugin: "test", name, decl: { payload: Type.Any(), ...decl } }])),
  }
  const rpc = createRpc({
    config: { allowedOrigins: [], token: "on" },
    log: createLog({ level: "info", redactor: new Redactor(), write: (line) => logs.push(line) }),
    auth: { ...keysOnly, onKeyRevoked: (listener) => revoked.push(listener), ...auth },
    registry: { current, onChange: () => () => undefined },
    bus,
    authorized: async () => undefined,
    stopping: new AbortController().signal,
    version: "0.0.0",
    ...rooms,
  })
  const server = createServer((_, response) => response.end())
  server.on("connection", (socket) => sockets.push(socket))
  server.on("upgrade", rpc.upgrade)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    rpc,
    bus,
    logs,
    sockets,
    revoke(keyId) {
      for (const tell of revoked) tell(keyId)
    },
    async stop() {
      await rpc.closeAll()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const keysOnly: Omit<Auth, "onKeyRevoked"> = {
  async resolve({ token = "", locale, address }) {
    const [role = "", userId = "", tenant = masterTenantId] = token.split(".")
    if (!(roles as readonly string[]).includes(role)) throw fail("unauthenticated")
    return { tenantId: tenant, tenantSlug: tenant, userId, role: role as Role, scopes: [], locale, address, via: "key", keyId: token }
  },
  check: demandAccess,
  spend: () => 0,
  tenant: async (id) => ({ id, slug: "master", name: "Master", status: "active" }),
  tenantNamed: async () => master,
  close: async () => undefined,
}
