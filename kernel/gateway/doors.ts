import type { Server } from "node:http"
import type { AddressInfo } from "node:net"
import { type Caller, PairingDoor, type PairingsService } from "@plugboard/sdk"
import type { GatewayConfig } from "../config.ts"
import { fail } from "../failures.ts"
import { createHttp } from "../http/create.ts"
import type { PluginManager } from "../plugins/manager.ts"
import { createPairingDoor } from "../records/pairing-door.ts"
import { createRpc, type Rpc } from "../rpc/create.ts"
import { version } from "../version.ts"
import type { Ground } from "./ground.ts"

/** An import of it would load the WebSocket of Node's own, which costs a start 40 ms. */
const { createServer } = process.getBuiltinModule("node:http")

export interface Doors {
  rpc: Rpc
  /** Listens from then on. */
  open(): Promise<OpenDoors>
}
export interface OpenDoors {
  url: string
  /** Takes no new connection. */
  shut(): void
  /** Resolves when the last connection has ended, or was ended after 2 s. */
  end(): Promise<void>
}

/** HTTP and sockets: the two ways in. */
export function createDoors(ground: Ground, manager: PluginManager, pairings: PairingsService): Doors {
  const { auth, services, load } = ground
  const authorized = (kind: "http" | "rpc") => (name: string, caller: Caller, signal: AbortSignal) => demandLeave(manager, { kind, name }, caller, signal)
  const http = createHttp({ ...ground, registry: manager, authorized: authorized("http"), overloaded: () => load.overloaded })
  const pairing = createPairingDoor({ auth, pairings, open: () => services.has(PairingDoor) })
  const rpc = createRpc({ ...ground, pairing, registry: manager, authorized: authorized("rpc"), version })
  return {
    rpc,
    async open() {
      const server = createServer(http.serverOptions, http.handler)
      http.adopt(server)
      server.on("upgrade", rpc.upgrade)
      const url = await listen(server, ground.config)
      let accepted: Promise<void> | undefined
      return {
        url,
        shut() {
          accepted = new Promise<void>((resolve) => server.close(() => resolve()))
          server.closeIdleConnections()
        },
        async end() {
          server.closeIdleConnections()
          await Promise.race([accepted, new Promise((resolve) => setTimeout(resolve, 2_000).unref())])
          server.closeAllConnections()
        },
      }
    },
  }
}

/** The hook `request.authorized`: throws when a plugin denies. */
async function demandLeave(manager: PluginManager, request: { kind: "http" | "rpc"; name: string }, caller: Caller, signal: AbortSignal): Promise<void> {
  const hooks = manager.hooksFor(caller.tenantId)
  if (!hooks.has("request.authorized")) return
  const denial = await hooks.call("request.authorized", request, { caller, signal })
  if (denial) throw fail(denial.kind === "RESOURCE_EXHAUSTED" ? "rate_limited" : "denied", { reason: denial.reason }, { text: denial.reason, retryAfterMs: denial.retryAfterMs })
}

function listen(server: Server, config: GatewayConfig): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE"
      reject(taken ? fail("unavailable", {}, { text: `Port ${config.port} on ${config.host} is taken. Stop the other program, or set PLUGBOARD_PORT.`, cause: error }) : error)
    })
    server.listen(config.port, config.host, () => {
      const { port } = server.address() as AddressInfo
      resolve(`http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`)
    })
  })
}
