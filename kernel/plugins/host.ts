import type { Caller, Host, Http, Locale, Manifest } from "@plugboard/sdk"
import type { Database } from "../db/database.ts"
import type { EventBus } from "../events.ts"
import { declaredFailure } from "../failures.ts"
import type { HookSet } from "../hooks/hook-set.ts"
import type { GatewayLog } from "../log.ts"
import type { Owner } from "./claims.ts"
import type { Jobs } from "./jobs.ts"
import type { Points } from "./points.ts"
import type { Services } from "./services.ts"
import { createTenantCache } from "./tenant-cache.ts"

/** What the gateway lends to plugins. One object for all; each plugin gets a host that speaks in its name. */
export interface HostRooms {
  log: GatewayLog
  db: Database
  bus: EventBus
  services: Services
  points: Points
  jobs: Jobs
  node: { id: string; boot: string }
  environment(names: readonly string[]): string | undefined
  egress(manifest: Manifest): Http
  secrets: {
    seal(tenantId: string, plugin: string, field: string, clear: string): string
    open(tenantId: string, plugin: string, field: string, sealed: string): string
  }
  /** A tenant's present hook set; a call keeps the one that it began with. */
  hooks(tenantId: string): HookSet
  /** Without those that do without the plugin. */
  eachTenant(plugin: string, work: (caller: Caller) => Promise<void>): Promise<void>
  describe(error: unknown, locale: Locale): string | null
}

/** Whose host it is: one activation of a plugin. `undo` gets what ends its subscriptions. */
export interface HostFor {
  manifest: Manifest
  owner: Owner
  undo: (() => void)[]
  config: object
}

/** The host of one plugin. What the manifest does not declare is refused by an error for its author, at the call. */
export function createHost({ manifest, owner, undo, config }: HostFor, rooms: HostRooms): Host {
  const { id } = manifest
  const undeclared = (what: string, name: string) => new Error(`plugin ${id}: ${what} ${name} is not in its manifest`)
  const demandEvent = (event: string) => {
    const decl = manifest.events?.[event]
    if (!decl) throw undeclared("event", event)
    return decl
  }
  const demandFired = (name: string) => {
    if (!manifest.fires?.includes(name as never)) throw undeclared("fired hook", name)
    if (rooms.db.inTransaction()) throw new Error(`plugin ${id}: the hook ${name} was called inside a transaction, which would hold its locks for as long as taps take`)
  }
  return {
    id,
    config: config as never,
    log: rooms.log.child({ plugin: id }),
    db: { for: (caller) => rooms.db.tenant(id, caller), unbound: rooms.db.unbound },
    http: rooms.egress(manifest),
    secrets: {
      seal: async (caller, field, clear) => rooms.secrets.seal(caller.tenantId, id, field, clear),
      open: async (caller, field, sealed) => rooms.secrets.open(caller.tenantId, id, field, sealed),
    },
    events: {
      publish(caller, event, payload, to) {
        const decl = demandEvent(event)
        // Streams of a run stay on this node: other nodes read them from the run's stored events.
        if (decl.flow) rooms.bus.publish({ name: event, payload, tenantId: caller.tenantId, to })
        else rooms.db.announce({ plugin: id, event, payload, tenantId: caller.tenantId, to })
      },
      subscribe(event, listener) {
        undo.push(rooms.bus.subscribe(event, ({ payload, tenantId }) => listener(payload as never, { tenantId: tenantId ?? "" })))
      },
    },
    jobs: {
      async enqueue(caller, job, data, options) {
        const decl = manifest.jobs?.[job]
        if (!decl) throw undeclared("job", job)
        await rooms.jobs.enqueue({ plugin: id, name: job, decl, run: () => Promise.resolve() }, caller, data, options)
      },
    },
    hooks: {
      call(name, value, context) {
        demandFired(name)
        return rooms.hooks(context.caller.tenantId).call(name, value, context)
      },
      pipe(name, value, context) {
        demandFired(name)
        return rooms.hooks(context.caller.tenantId).pipe(name, value, context)
      },
      tapped: (name, caller) => rooms.hooks(caller.tenantId).has(name),
    },
    use: (token) => rooms.services.use(id, token),
    has: (token, caller) => rooms.services.has(token, caller && ((plugin) => rooms.points.isOff(plugin, caller.tenantId))),
    offer(token, implementation) {
      if (!manifest.offers?.some((offer) => offer.service === token.service)) throw undeclared("offered service", token.service)
      rooms.services.offer(owner, token, implementation)
    },
    open: (token) => rooms.points.open(token),
    contribute(token, key, implementation) {
      if (!manifest.contributes?.some((point) => point.point === token.point)) throw undeclared("contribution to", token.point)
      rooms.points.contribute(owner, token, key, implementation)
    },
    cache: (options) => createTenantCache(options, rooms.bus, undo),
    environment: (names) => rooms.environment(names),
    node: rooms.node,
    eachTenant: (work) => rooms.eachTenant(id, work),
    describe: async (error, locale) => rooms.describe(error, locale),
    fail(name: string, params: object, options) {
      const decl = manifest.errors?.[name]
      if (!decl) throw undeclared("error", name)
      return declaredFailure(id, name, decl, params as Record<string, unknown>, options ?? {})
    },
  } as Host
}
