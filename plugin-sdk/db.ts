import type { Query } from "./sql.ts"

/** Queries on a connection that is bound to one tenant: row-level security hides every other tenant's rows, also from a forgotten WHERE. */
export interface Queries {
  /** All rows; bound the text with LIMIT. */
  any<T>(query: Query<T>): Promise<T[]>
  /** The row or null; fails on more than one. */
  maybeOne<T>(query: Query<T>): Promise<T | null>
  /** The row; fails on none or more than one. */
  one<T>(query: Query<T>): Promise<T>
  /** For writes: rows of RETURNING and the number of rows touched. */
  query<T>(query: Query<T>): Promise<{ readonly rows: T[]; readonly rowCount: number }>
}

/** What happened, for the audit log. `details` must be free of secrets; names like `api_key` are masked all the same. */
export interface AuditEntry {
  /** `<entity>.<verb in past tense>`, such as `agent.created`. */
  action: string
  entityType: string
  entityId: string
  details?: Readonly<Record<string, unknown>>
}

export interface Tx extends Queries {
  /** Written in this transaction; nothing is logged when it rolls back. */
  audit(entry: AuditEntry): void
  /** Leaves after commit, on every node. The event must be declared in the manifest. */
  publish(event: string, payload: object, to?: EventTarget): void
  /** Queued in this transaction. The job must be declared in the manifest. */
  enqueue(job: string, data: object): void
}

/** Whom an event is for, of the audiences `user` and `user+admins`. Without any it is for admins. */
export interface EventTarget {
  userId?: string
  /** Further users; `"everyone"`: all of the tenant. */
  users?: readonly string[] | "everyone"
  /** Not for these among `users`. */
  except?: readonly string[]
}

export interface TenantDb extends Queries {
  /** One connection for all of `work`; commits when it resolves, rolls back when it rejects. Outbound calls and hooks inside are refused. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
}
