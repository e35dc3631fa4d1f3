import { randomUUID } from "node:crypto"
import { type Caller, failureOf, type RpcCall } from "@plugboard/sdk"
import type { Auth } from "../auth/auth.ts"
import { fail, type ToldFailure, tell } from "../failures.ts"
import type { GatewayLog } from "../log.ts"
import type { MethodEntry, RegistrySource } from "../registry.ts"
import { masterTenantId, masterTenantSlug } from "../tenancy.ts"
import { connect, type EntryRooms } from "./connect.ts"
import type { Connection } from "./connection.ts"
import { errorOf, type RequestFrame, readFrame } from "./frame.ts"
import { Outgoing } from "./outgoing.ts"
import { parametersFor } from "./parameters.ts"

export interface DispatchRooms extends EntryRooms {
  auth: Auth
  log: GatewayLog
  registry: RegistrySource
  authorized(name: string, caller: Caller, signal: AbortSignal): Promise<void>
  stopping: AbortSignal
  /** Makes `caller` the one who is on the socket, and calls `answer` before the socket gets any event. */
  admit(connection: Connection, caller: Caller | undefined, answer: () => void): void
}

type Later = () => Promise<void>

/** A call that may be made. The caller is who was on the socket when it came, also when a `connect` behind it brings another; none: the method is open before `connect`. */
interface Prepared {
  id: string | number
  entry: MethodEntry
  caller: Caller | undefined
  params: unknown
}

/** From a message to its handler and back: what a request is, who asks, may they, does it fit. Exactly one response for each. */
export function createDispatch(rooms: DispatchRooms): (connection: Connection, text: string) => void {
  const { auth, log, registry } = rooms

  function begin(connection: Connection, text: string): void {
    // A socket that is closing is still read from: a client whose key has ended could go on calling.
    if (connection.ws.readyState !== connection.ws.OPEN) return
    const { id, frame, error } = readFrame(text)
    if (!frame) refuse(connection, id, error, "frame")
    else if (frame.method === "connect") {
      connection.entering = true
      connection.run(undefined, text.length, () => enter(connection, frame))
    } else {
      try {
        const { order, work } = prepare(connection, frame)
        connection.run(order, text.length, work)
      } catch (problem) {
        refuse(connection, id, problem, frame.method)
      }
    }
  }

  async function enter(connection: Connection, { id, params }: RequestFrame): Promise<void> {
    try {
      const { caller, cliProfile, payload } = await connect(connection, params, rooms)
      connection.cliProfile = cliProfile
      connection.pending = caller === undefined
      rooms.admit(connection, caller, () => connection.respond(id, { ok: true, payload }))
    } catch (error) {
      refuse(connection, id, error, "connect")
    }
    connection.entrant = undefined
    connection.entering = false
  }

  /** All that needs no waiting happens as the request comes in. */
  function prepare(connection: Connection, frame: RequestFrame): { order: string | undefined; work: () => Promise<void> } {
    const entry = registry.current.methods.get(frame.method)
    const { caller } = connection
    if (!caller && entry?.decl.before !== "connect") throw fail("connect_first")
    if (!entry || (caller && registry.current.isOff(entry.plugin, caller.tenantId))) throw fail("unknown_method", { method: frame.method.slice(0, 200) })
    const { decl } = entry
    auth.check(decl, caller ?? stranger(connection))
    if (decl.limits?.rate) {
      const waitMs = auth.spend(caller ? `${caller.tenantId}\n${caller.userId || connection.id}` : connection.address)
      if (waitMs > 0) throw fail("rate_limited", {}, { retryAfterMs: waitMs })
    }
    const params = parametersFor(decl, entry.foreign)(frame.params)
    const object = decl.order === undefined ? undefined : params[decl.order]
    return {
      order: object === undefined || object === null ? undefined : `${decl.order}\n${String(object)}`,
      work: () => serve(connection, { id: frame.id, entry, caller, params }),
    }
  }

  async function serve(connection: Connection, { id, entry, caller, params }: Prepared): Promise<void> {
    const { plugin, method, decl, handle } = entry
    let later: Later[] | undefined = []
    const perform = (job: Later) => void job().catch((err: unknown) => log.warn({ err, method }, "work after an answer failed"))
    const call: RpcCall = {
      caller: caller ?? stranger(connection),
      connectionId: connection.id,
      senderId: connection.senderId,
      cliProfile: connection.cliProfile,
      get closed() {
        return connection.closed
      },
      emit(event, payload) {
        const declared = registry.current.events.get(event)
        if (declared?.plugin !== plugin) throw new Error(`plugin ${plugin}: event ${event} is not in its manifest`)
        // Who has come in on the socket since did not ask for it.
        if (!isSame(caller, connection.caller)) return
        connection.outbound.push(Outgoing.event(event, payload, declared.decl.flow))
      },
      after: (job) => (later ? void later.push(job) : perform(job)),
    }
    try {
      if (connection.dismissed) throw fail("unauthenticated")
      if (caller) await rooms.authorized(method, caller, rooms.stopping)
      const { timeoutMs } = decl.limits ?? {}
      const payload = await (timeoutMs ? within(timeoutMs, handle(params, call)) : handle(params, call))
      connection.respond(id, { ok: true, payload: payload ?? {} })
    } catch (error) {
      refuse(connection, id, error, method, caller)
    }
    const jobs = later
    later = undefined
    for (const job of jobs) perform(job)
  }

  function refuse(connection: Connection, id: string | number, error: unknown, method: string, caller?: Caller): void {
    const known = failureOf(error) ? error : unexpected(error, method, caller)
    if (failureOf(error)?.kind === "UNAUTHENTICATED") log.debug({ address: connection.address, method: method.slice(0, 200) }, "socket refused")
    connection.respond(id, { ok: false, error: errorOf(tell(known, connection.locale, registry.current.texts) as ToldFailure) })
  }

  /** One that nobody declared is logged under an id, and only the id is told. */
  function unexpected(err: unknown, method: string, caller: Caller | undefined): Error {
    const id = randomUUID()
    log.error({ err, id, method, tenant: caller?.tenantId }, "unexpected failure")
    return fail("internal", { id })
  }

  return begin
}

/** Who has not connected: nobody, who may call what is open before that. */
function stranger({ locale, address }: Connection): Caller {
  return { tenantId: masterTenantId, tenantSlug: masterTenantSlug, userId: "", role: "viewer", scopes: [], locale, via: "open", address }
}

function isSame(a: Caller | undefined, b: Caller | undefined): boolean {
  return a === b || (a?.tenantId === b?.tenantId && a?.userId === b?.userId && a?.role === b?.role)
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
