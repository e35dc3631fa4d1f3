import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import type { Caller, ConnectionInfo } from "@plugboard/sdk"
import { type RawData, WebSocketServer } from "ws"
import type { GatewayConfig } from "../config.ts"
import type { EventBus } from "../events.ts"
import { Audiences } from "./audience.ts"
import { addressOf, Connection } from "./connection.ts"
import { createDispatch, type DispatchRooms } from "./dispatch.ts"
import { expelWhoLostAccess } from "./expulsion.ts"
import { originAllowed } from "./origin.ts"
import { Outgoing } from "./outgoing.ts"
import { defaultTimings, type Timings, Watch } from "./watch.ts"

/**
 * What the socket side needs of the gateway: `auth` decides who is asking, `registry` which methods and events there are, `bus` brings the events of this node.
 * `authorized` is the hook `request.authorized` and throws when a plugin denies. Once `stopping` has ended no socket is taken.
 */
export interface RpcRooms extends Omit<DispatchRooms, "admit"> {
  config: Pick<GatewayConfig, "allowedOrigins" | "token">
  bus: EventBus
  /** Shorter ones make tests short. */
  timings?: Partial<Timings>
}

export interface Rpc {
  /** For the `upgrade` event of an HTTP server. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Of sockets that have connected. */
  connections(): (ConnectionInfo & { tenantId: string })[]
  /** Closes the sockets of these callers. Nothing of theirs is begun any more; what runs ends by itself. */
  closeWhere(fits: (caller: Caller) => boolean): void
  /** Tells every socket, then closes it. Resolves when all are closed, after `closeMs` at the latest. */
  closeAll(): Promise<void>
}

const connectionLimit = 10_000
/** Sockets of one address that have not said who they are. */
const strangersLimit = 64
/** Bounds what one unfinished message may cost: many small fragments or packets take far more memory than their bytes. */
const wire = { maxPayload: 512 << 10, maxFragments: 1_024, maxBufferedChunks: 8_192, perMessageDeflate: false }

/** The socket side: who is on which socket, calls to their handlers, events to those whom they are for. Methods and events follow the registry. */
export function createRpc(rooms: RpcRooms): Rpc {
  const server = new WebSocketServer({ noServer: true, clientTracking: false, ...wire })
  const connections = new Set<Connection>()
  const audiences = new Audiences()
  /** How many there are of each address. */
  const strangers = new Map<string, number>()
  const timings = { ...defaultTimings, ...rooms.timings }
  const watch = new Watch(connections, timings)
  const begin = createDispatch({ ...rooms, admit })

  rooms.auth.onKeyRevoked((keyId) => closeWhere((caller) => caller.keyId === keyId))
  expelWhoLostAccess(rooms.bus, connections, closeWhere)

  const deafen = rooms.bus.subscribeAll((event) => {
    const entry = rooms.registry.current.events.get(event.name)
    if (!entry) return
    const frame = Outgoing.event(event.name, event.payload, entry.decl.flow)
    audiences.reach(event, entry.decl.to, (connection) => connection.outbound.push(frame))
  })

  function accept(connection: Connection): void {
    const { ws } = connection
    connections.add(connection)
    countStranger(connection, 1)
    ws.on("message", (data: RawData) => connection.receive((data as Buffer).toString("utf8")))
    ws.on("pong", () => {
      connection.heardAt = performance.now()
    })
    // What breaks the protocol is answered by `ws` with the code for it, and `close` follows.
    ws.on("error", () => undefined)
    ws.once("close", () => {
      connections.delete(connection)
      takeLeave(connection)
      if (!connection.known) countStranger(connection, -1)
      connection.end()
    })
  }

  function admit(connection: Connection, caller: Caller | undefined, answer: () => void): void {
    takeLeave(connection)
    answer()
    if (!caller || !connections.has(connection)) return
    if (!connection.known) countStranger(connection, -1)
    connection.known = true
    connection.caller = caller
    audiences.join(connection, caller)
  }

  function takeLeave(connection: Connection): void {
    if (connection.caller) audiences.leave(connection, connection.caller)
    connection.caller = undefined
  }

  function countStranger({ address }: Connection, by: 1 | -1): void {
    const count = (strangers.get(address) ?? 0) + by
    if (count > 0) strangers.set(address, count)
    else strangers.delete(address)
  }

  function closeWhere(fits: (caller: Caller, connection: Connection) => boolean, farewell?: Outgoing): void {
    for (const connection of connections) {
      const { caller, entrant } = connection
      if (!(caller && fits(caller, connection)) && !(entrant && fits(entrant, connection))) continue
      connection.dismissed = true
      if (farewell && caller) connection.outbound.push(farewell)
      takeLeave(connection)
      close(connection, 1000)
    }
  }

  return {
    upgrade(request, socket, head) {
      socket.on("error", () => undefined)
      if (request.url?.split("?", 1)[0] !== "/ws") return refuse(socket, "404 Not Found")
      if (!originAllowed(request, rooms.config.allowedOrigins, rooms.config.token === undefined)) return refuse(socket, "403 Forbidden")
      const full = connections.size >= connectionLimit || (strangers.get(addressOf(request)) ?? 0) >= strangersLimit
      if (full || rooms.stopping.aborted) return refuse(socket, "503 Service Unavailable\r\nRetry-After: 5")
      server.handleUpgrade(request, socket, head, (ws) => accept(new Connection(ws, request, begin)))
    },
    connections: () => [...connections].flatMap(({ info }) => info ?? []),
    closeWhere,
    async closeAll() {
      deafen()
      watch.stop()
      for (const connection of connections) connection.end()
      // Calls that only waited for this end now, and their answers go out before the sockets close.
      await new Promise((resolve) => setImmediate(resolve))
      const bye = Outgoing.event("shutdown", undefined)
      for (const connection of connections) if (connection.caller) connection.outbound.push(bye)
      const deadline = performance.now() + timings.closeMs
      while (connections.size > 0 && performance.now() < deadline) {
        for (const connection of connections) if (!connection.outbound.lagging) close(connection, 1001)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      for (const { ws } of connections) ws.terminate()
    },
  }
}

/** Reads on: the client's own close has to be seen. */
function close({ ws }: Connection, code: number): void {
  if (ws.readyState !== ws.OPEN) return
  ws.close(code)
  ws.resume()
}

/** Ends the socket with the answer: a client that keeps its side open would keep it here too. */
function refuse(socket: Duplex, status: string): void {
  socket.once("finish", () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
