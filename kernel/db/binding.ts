import type { Driver, DriverClient, DriverFactory } from "@slonik/driver"

/** Names of the two roles that queries run as, beside the owner. They carry the database's id, since roles belong to the whole server. */
export interface Roles {
  readonly app: string
  readonly kernel: string
}

/** Whose query it is: `owner` for migrations and the job queue, `kernel` for the kernel's tables, `app` with a tenant (or none) for plugins. */
export type Who = "owner" | "kernel" | `app:${string}`

/**
 * slonik hands a query's statement name down to the driver and nothing else, so the binding travels in it: `who|statement`.
 * An empty statement: not prepared under a name.
 */
export function boundName(who: Who, statement: string): string {
  return `${who}|${statement}`
}

/** Statement name of a text that holds several statements: the job queue's own. The embedded driver knows it; a server gets such a text on a connection of its own. */
export const scriptName = "script"

export interface BindingOptions {
  roles: Roles
  /** True when a pooler hands each transaction to another server connection: then every query has a transaction, and its binding, of its own. */
  pooled: boolean
  onStatement(text: string): void
}

const unbound = ""

/**
 * Puts each query of a driver under the role and tenant that its name asks for. A binding is made when it differs from the connection's last one, by one more statement.
 * After an error, a time-out or a rollback the connection counts as unbound: a rollback silently reverts a binding that was made inside its transaction.
 */
export function withBinding(factory: DriverFactory, options: BindingOptions): DriverFactory {
  return async (configuration) => {
    const driver = await factory(configuration)
    const bound: Driver = { createClient: async () => bindClient(await driver.createClient(), options) }
    return bound
  }
}

function bindClient(client: DriverClient, { roles, pooled, onStatement }: BindingOptions): DriverClient {
  let current: string = unbound
  let inTransaction = false
  let boundInside = false
  const bind = async (who: string, local: boolean) => {
    const colon = who.indexOf(":")
    const role = who === "owner" ? "none" : who === "kernel" ? roles.kernel : roles.app
    const tenant = colon < 0 ? "" : who.slice(colon + 1)
    onStatement(bindText)
    await client.query(bindText, [role, tenant, local], pooled ? undefined : { name: "bind" })
    current = who
    boundInside ||= local
  }
  /** START TRANSACTION, COMMIT and ROLLBACK come from slonik without a name. */
  const control = async (text: string) => {
    if (text.startsWith("ROLLBACK")) current = unbound
    const result = await client.query(text)
    inTransaction = text.startsWith("START")
    // What was bound inside is over with the transaction; what was bound before it stands again.
    if (text.startsWith("COMMIT") && boundInside) current = unbound
    boundInside = false
    return result
  }
  return {
    ...client,
    async query(text, values, queryOptions) {
      onStatement(text)
      const bar = queryOptions?.name?.indexOf("|") ?? -1
      if (bar < 0 || queryOptions?.name === undefined) return control(text)
      const who = queryOptions.name.slice(0, bar)
      const statement = pooled ? "" : queryOptions.name.slice(bar + 1)
      const alone = pooled && !inTransaction
      try {
        if (alone) await client.query("START TRANSACTION")
        if (who !== current) await bind(who, pooled || inTransaction)
        const result = await client.query(text, values, statement === "" ? undefined : { name: statement })
        if (alone) {
          await client.query("COMMIT")
          current = unbound
        }
        return result
      } catch (error) {
        current = unbound
        if (alone) await client.query("ROLLBACK").catch(() => undefined)
        throw error
      }
    },
  }
}

/** One statement for role and tenant. A role that is `none` is the one that has logged in. */
const bindText = "SELECT set_config('role', $1, $3), set_config('plugboard.tenant', $2, $3)"
