import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { type Caller, type ConnectionInfo, failureOf, type RpcCall } from "@plugboard/sdk"
import { type RawData, WebSocketServer } from "ws"
import type { Auth } from "../auth/auth.ts"
import type { GatewayConfig } from "../config.ts"
import type { EventBus } from "../events.ts"
import { fail } from "../failures.ts"
import { toldOrInternal } from "../http/failure-reply.ts"
import type { GatewayLog } from "../log.ts"
import type { MethodEntry, RegistrySource } from "../registry.ts"
import { Audiences } from "./audience.ts"
import { connect } from "./connect.ts"
import { Connection } from "./connection.ts"
import { errorOf, type RequestFrame, readFrame } from "./frame.ts"
import { originAllowed } from "./origin.ts"
import { Outgoing } from "./outbound.ts"
import { parametersFor } from "./parameters.ts"
import { defaultTimings, type Timings, Watch } from "./watch.ts"

export interface RpcRooms {
  config: Pick<GatewayConfig, "allowedOrigins" | "token">
  log: GatewayLog
  auth: Auth
  registry: RegistrySource
  bus: EventBus
  /** The hook `request.authorized`: throws when a plugin denies. */
  authorized(name: string, caller: Caller, signal: AbortSignal): Promise<void>
  stopping: AbortSignal
  version: string
  timings?: Partial<Timings>
}

export interface Rpc {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  connections(): (ConnectionInfo & { tenantId: string })[]
  /** Tells every socket, then closes it. */
  closeAll(): Promise<void>
}

const maxPayload = 512 << 10
const connectionLimit = 10_000
/** Sockets of one address that have not said who they are. */
const strangersLimit = 64

/** The socket side: frames, who is asking, may they, does it fit, then the handler; and events to those whom they are for. Methods and events follow the registry. */
export function createRpc(rooms: RpcRooms): Rpc {
  const { auth, registry, log } = rooms
  const server = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false, clientTracking: false, skipUTF8Validation: false })
  const connections = new Set<Connection>()
  const audiences = new Audiences()
  const strangers = new Map<string, number>()
  const watch = new Watch(connections, { ...defaultTimings, ...rooms.timings })

  auth.onKeyRevoked((keyId) => {
    for (const connection of connections) if (connection.caller?.keyId === keyId) connection.ws.close(1000)
  })

  rooms.bus.subscribeAll((event) => {
    const entry = registry.current.events.get(event.name)
    if (!entry) return
    let frame: Outgoing | undefined
    for (const connection of audiences.of(event, entry.decl.to)) {
      frame ??= new Outgoing(event.name, event.payload, entry.decl.flow)
      connection.send(frame)
    }
  })

  function countStranger(address: string, by: number): void {
    const count = (strangers.get(address) ?? 0) + by
    if (count > 0) strangers.set(address, count)
    else strangers.delete(address)
  }

  function accept(connection: Connection): void {
    const { ws } = connection
    connections.add(connection)
    countStranger(connection.address, 1)
    ws.on("message", (data: RawData) => {
      connection.heardAt = performance.now()
      receive(connection, textOf(data))
    })
    ws.on("pong", () => {
      connection.heardAt = performance.now()
    })
    ws.on("error", () => undefined)
    ws.once("close", () => {
      connections.delete(connection)
      if (!connection.caller) countStranger(connection.address, -1)
      audiences.leave(connection, connection.caller)
      connection.ended()
    })
  }

  function receive(connection: Connection, text: string): void {
    if (connection.entering) {
      void connection.entering.then(() => receive(connection, text))
      return
    }
    const { id, frame, error } = readFrame(text)
    if (!frame) return connection.respond(id, { ok: false, error: describe(connection, error, "frame") })
    if (frame.method === "connect") {
      const entering = answer(connection, frame, () => enter(connection, frame.params)).finally(() => {
        if (connection.entering === entering) connection.entering = undefined
      })
      connection.entering = entering
      return connection.run(undefined, () => entering)
    }
    const entry = registry.current.methods.get(frame.method)
    const refusal = refusalOf(connection, frame.method, entry)
    if (refusal) return connection.respond(id, { ok: false, error: describe(connection, refusal, frame.method) })
    const method = entry as MethodEntry
    const { order } = method.decl
    const key = order === undefined ? undefined : `${order}\n${String(frame.params[order] ?? "")}`
    connection.run(key, () => answer(connection, frame, (after) => call(connection, method, frame.params, after)))
  }

  function refusalOf(connection: Connection, method: string, entry: MethodEntry | undefined): Error | undefined {
    if (!connection.caller && entry?.decl.before !== "connect") return fail("connect_first")
    if (!entry) return fail("unknown_method", { method })
    return undefined
  }

  async function enter(connection: Connection, params: Record<string, unknown>): Promise<unknown> {
    const { caller, payload } = await connect(connection, params, auth, rooms.version)
    if (!connection.caller) countStranger(connection.address, -1)
    audiences.leave(connection, connection.caller)
    connection.caller = caller
    if (connections.has(connection)) audiences.join(connection)
    return payload
  }

  async function call(connection: Connection, { method, decl, handle }: MethodEntry, given: Record<string, unknown>, after: (work: () => Promise<void>) => void): Promise<unknown> {
    const caller = connection.caller as Caller
    auth.check(decl, caller)
    if (decl.limits?.rate) {
      const waitMs = auth.spend(caller.userId || connection.id)
      if (waitMs > 0) throw fail("rate_limited", {}, { retryAfterMs: waitMs })
    }
    const params = parametersFor(decl)(given)
    const pending = rooms.authorized(method, caller, rooms.stopping)
    await pending
    const rpcCall: RpcCall = {
      caller,
      connectionId: connection.id,
      cliProfile: connection.cliProfile,
      get closed() {
        return connection.closed
      },
      emit: (event, payload) => connection.send(new Outgoing(event, payload, registry.current.events.get(event)?.decl.flow)),
      after,
    }
    return decl.limits?.timeoutMs ? within(decl.limits.timeoutMs, handle(params, rpcCall)) : handle(params, rpcCall)
  }

  /** Exactly one response, whatever happens. */
  async function answer(connection: Connection, frame: RequestFrame, work: (after: (later: () => Promise<void>) => void) => Promise<unknown>): Promise<void> {
    const later: (() => Promise<void>)[] = []
    try {
      const payload = await work((job) => later.push(job))
      connection.respond(frame.id, { ok: true, payload: payload ?? {} })
    } catch (error) {
      connection.respond(frame.id, { ok: false, error: describe(connection, error, frame.method) })
    }
    for (const job of later) job().catch((err: unknown) => log.warn({ err, method: frame.method }, "work after an answer failed"))
  }

  function describe(connection: Connection, error: unknown, method: string): object {
    const told = toldOrInternal(error, { locale: connection.locale, texts: registry.current.texts, log, request: method })
    if (failureOf(error)?.kind === "UNAUTHENTICATED") log.debug({ address: connection.address, method }, "socket refused")
    return errorOf(told)
  }

  return {
    upgrade(request, socket, head) {
      const refuse = (status: string) => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      socket.on("error", () => undefined)
      if (new URL(request.url ?? "/", "http://gateway").pathname !== "/ws") return refuse("404 Not Found")
      if (!originAllowed(request, rooms.config.allowedOrigins, rooms.config.token === undefined)) return refuse("403 Forbidden")
      const address = (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "")
      if (rooms.stopping.aborted || connections.size >= connectionLimit || (strangers.get(address) ?? 0) >= strangersLimit) return refuse("503 Service Unavailable")
      server.handleUpgrade(request, socket, head, (ws) => accept(new Connection(ws, request)))
    },
    connections: () =>
      [...connections].flatMap(({ id, shownAddress, caller, connectedAt }) => (caller ? [{ id, remoteAddr: shownAddress, userId: caller.userId, role: caller.role, connectedAt, tenantId: caller.tenantId }] : [])),
    async closeAll() {
      watch.stop()
      const bye = new Outgoing("shutdown", undefined)
      for (const connection of connections) {
        if (connection.caller) connection.send(bye)
        connection.ws.close(1001)
      }
      const deadline = performance.now() + 2_000
      while (connections.size > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20))
      for (const { ws } of connections) ws.terminate()
    },
  }
}

/** Binary messages count as text. */
function textOf(data: RawData): string {
  return Buffer.isBuffer(data) ? data.toString("utf8") : Buffer.concat(data as Buffer[]).toString("utf8")
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(fail("too_slow", { ms: limitMs })), limitMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
