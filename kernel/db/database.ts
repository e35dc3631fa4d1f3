import type { AuditEntry, Caller, EventTarget, Queries, Query, TenantDb } from "@plugboard/sdk"
import type { Roles } from "./binding.ts"
import type { Carried } from "./carried.ts"
import type { Migrations } from "./migrate.ts"
import type { Enqueue, JobStore } from "./open.ts"
import type { Pool, Result } from "./pool.ts"

export interface CommittedEvent {
  plugin: string
  event: string
  payload: object
  tenantId: string
  to?: EventTarget
}

export interface KernelTx extends Queries {
  audit(caller: Caller, entry: AuditEntry): void
  /** An internal kernel event, such as `kernel.key_revoked`; reaches every node after commit. */
  publish(event: string, payload: object, tenantId?: string): void
}

/** Queries of the kernel itself, with a role that no plugin has. */
export interface KernelDb extends Queries {
  transaction<T>(work: (tx: KernelTx) => Promise<T>): Promise<T>
}

export interface MigrationSource {
  /** Plugin id, or `kernel`. Its schema is the id with dashes as underscores. */
  id: string
  /** Folder of `0001_name.sql` files. */
  folder: string
  globalTables: readonly string[]
  /** For a plugin in a sandbox: the role that alone reaches its tables, and the gate that takes a file apart into the statements that may run. */
  sandbox?: { role: string; gate(text: string, schema: string): Promise<readonly string[]> }
}

/** What the databases of sandboxed plugins are made of. Nobody else's business. */
export interface DatabaseInside {
  readonly pool: Pool
  readonly roles: { -readonly [K in keyof Roles]: Roles[K] }
  readonly migrations: Migrations
  readonly onStatement: (text: string) => void
  /** Writes what a transaction takes along, by statements of that transaction. Its events are told with `deliver` after the commit. */
  writeCarried(carried: Carried, run: (query: Query<object>) => Promise<Result<object>>, store: JobStore): Promise<void>
  deliver(event: CommittedEvent): void
  /** A transaction that began while the job queue starts would wait for the queue, and on the embedded database the queue for it. */
  queueSettled(): Promise<void>
}

export interface Database {
  readonly kind: "embedded" | "server"
  readonly kernel: KernelDb
  /** A tenant's view for one plugin. Cheap: call it per request. */
  tenant(plugin: string, caller: Caller): TenantDb
  /** The app role with no tenant: sees no rows. */
  readonly unbound: Queries
  /** Applies what is pending, each file in a transaction of its own, then checks the schema's row-level security. Throws a `kernel.migration_failed` failure; other sources are untouched. */
  migrate(source: MigrationSource): Promise<{ applied: readonly string[] }>
  /** `SELECT 1` with a limit of 1 s. */
  ping(): Promise<boolean>
  /** Events of this node's commits at once, and of other nodes' within a second. */
  onCommitted(listener: (event: CommittedEvent) => void): void
  /** An event outside any transaction: to this node at once, to others by the same way. */
  announce(event: CommittedEvent): void
  /** True inside `transaction`; outbound calls and hooks are refused then. */
  inTransaction(): boolean
  /** Runs one text (possibly several statements) as the owner; for pg-boss. */
  executeSql(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>
  /** Statements sent so far, for tests that count them. */
  readonly statements: { readonly count: number; readonly last: string }
  /** Who puts a transaction's jobs into the queue, and when the queue is not about to start. */
  setEnqueuer(enqueue: Enqueue, settled?: () => Promise<void>): void
  readonly inside: DatabaseInside
  close(): Promise<void>
}
