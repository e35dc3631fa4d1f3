import type { AuditEntry, Caller, EventTarget, Queries, Query, TenantDb } from "@plugboard/sdk"

/** Whose SQL runs: decides the role and whether a tenant is bound. */
export type Binding = { role: "app"; tenantId: string } | { role: "app"; tenantId: null } | { role: "kernel"; tenantId: null }

/** What a transaction carries besides its statements. The database writes audit and outbox rows before the commit and hands the events over after it. */
export interface TransactionHooks {
  audit(entry: AuditEntry & { caller: Caller; plugin: string }): void
  publish(event: CommittedEvent): void
}

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
  close(): Promise<void>
}

export type { Query }
