import { randomUUIDv7 } from "node:crypto"
import { type AuditEntry, type Caller, type EventTarget, jsonText, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { CommittedEvent } from "./database.ts"
import type { Result } from "./pool.ts"

export interface CarriedJob {
  plugin: string
  name: string
  caller: Caller
  data: object
}

const Nothing = row(Type.Object({}))
const secretName = /key|token|secret|password|dsn|credential|authorization|cookie/i
/** Keys that open nothing: they name an agent or a session. */
const plainKey = /^(agent|session)_?key$/i

/** What a transaction takes along: audit entries, events and jobs. Written with its last statements, so that they stand or fall with it. */
export class Carried {
  readonly #audit: object[] = []
  readonly events: CommittedEvent[] = []
  readonly jobs: CarriedJob[] = []

  audit(plugin: string, caller: Caller, entry: AuditEntry): void {
    this.#audit.push({
      id: randomUUIDv7(),
      tenant_id: caller.tenantId,
      actor_type: caller.via === "system" ? "system" : "user",
      actor_id: caller.userId,
      action: entry.action,
      entity_type: entry.entityType,
      entity_id: entry.entityId.slice(0, 255),
      details: entry.details ? maskSecrets(entry.details) : null,
      ip_address: caller.address?.slice(0, 45) ?? null,
      plugin,
    })
  }

  publish(plugin: string, event: string, payload: object, tenantId: string, to?: EventTarget): void {
    this.events.push({ plugin, event, payload, tenantId, to })
  }

  /** One statement for all entries. */
  async writeAudit(run: (query: ReturnType<typeof auditQuery>) => Promise<Result<object>>): Promise<void> {
    if (this.#audit.length > 0) await run(auditQuery(this.#audit))
  }
}

function auditQuery(entries: readonly object[]) {
  return sql.type(Nothing)`
    INSERT INTO kernel.activity (id, tenant_id, actor_type, actor_id, action, entity_type, entity_id, details, ip_address, plugin)
    SELECT id, tenant_id, actor_type, actor_id, action, entity_type, entity_id, details, ip_address, plugin
    FROM jsonb_to_recordset(${jsonText(entries)}::jsonb)
      AS entry(id uuid, tenant_id uuid, actor_type text, actor_id text, action text, entity_type text, entity_id text, details jsonb, ip_address text, plugin text)`
}

/** A second line: who writes an entry leaves secrets out, and a forgotten one is masked by its name. */
function maskSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(maskSecrets)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, secretName.test(name) && !plainKey.test(name) && typeof inner === "string" ? "***" : maskSecrets(inner)]),
  )
}
