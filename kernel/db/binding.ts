import type { DriverQueryResult } from "@slonik/driver"
import type { PluginLimits } from "./plugin-limits.ts"

/** Names of the two roles that queries run as, beside the owner. They carry the database's id, since roles belong to the whole server. */
export interface Roles {
  readonly app: string
  readonly kernel: string
  /** Part of the name of the variable by which sandboxed plugins are bound to a tenant: a role can set every variable that it can name. Empty while there are none. */
  readonly word: string
}

/** Whose query it is: `owner` for migrations and the job queue, `kernel` for the kernel's tables, `app` with a tenant (or none) for plugins, `x` with a role of its own and a tenant for a sandboxed one. */
export type Who = "owner" | "kernel" | `app:${string}` | `x:${string}:${string}`

/** Statement names that ask for something else than a plan: a text of several statements (the job queue's own), and one that may take as long as it needs (a migration). */
export const scriptName = "script"
export const unlimitedName = "unlimited"

/**
 * slonik hands a query's statement name down to the driver and nothing else, so the binding travels in it: `who|statement`.
 * An empty statement: not prepared under a name.
 */
export function boundName(who: Who, statement: string): string {
  return `${who}|${statement}`
}

/** A connection of the protocol, one statement at a time. */
export interface Wire {
  /** `statement` is empty, one of the two above, or the name to prepare the text under. */
  send(text: string, values: readonly unknown[], statement: string, limits?: PluginLimits): Promise<DriverQueryResult>
  /** `I` when no transaction is open. */
  status(): string
  /** True behind a pooler, which hands each transaction to another server connection. */
  pooled: boolean
}

export interface BindingOptions {
  roles: Roles
  /** The sandboxed plugin's role that its connections have logged in as; undefined: the owner's. */
  login?: string
  /** For statements of sandboxed plugins. */
  pluginLimits: PluginLimits
  onStatement(text: string): void
  statementTimeoutMs: number
}

const unbound = ""
const idle = "I"
/** One statement for role and tenant. */
const bindText = "SELECT set_config('role', $1, $3), set_config('plugboard.tenant', $2, $3)"
/** Behind a pooler nothing else of a connection is ours either. */
const bindPooledText = `${bindText}, set_config('TimeZone', 'UTC', true), set_config('statement_timeout', $4, true)`
/** The tenant of a sandboxed plugin stands in a variable that it cannot name; the other one is for the default of `tenant_id`. */
const bindPluginText = `${bindText}, set_config($4, $2, $3)`
const bindPooledPluginText = `${bindPooledText}, set_config('standard_conforming_strings', 'on', true), set_config($5, $2, $3)`

/**
 * Puts each query of a connection under the role and tenant that its name asks for. A binding is made when it differs from the connection's last one, by one more statement.
 * After an error, a time-out or a rollback the connection counts as unbound: a rollback silently reverts a binding that was made inside its transaction.
 * Behind a pooler each query has a transaction, and its binding, of its own.
 */
export function bindConnection(wire: Wire, { roles, login, pluginLimits, onStatement, statementTimeoutMs }: BindingOptions) {
  // Nobody has taken another role on it yet.
  let current: string = "owner"
  let boundInside = false
  let generation = 0
  let turn: Promise<unknown> = Promise.resolve()

  async function bind(who: string): Promise<void> {
    const local = wire.pooled || wire.status() !== idle
    const { role, tenant, plugin } = standingOf(who, roles)
    current = unbound
    const text = plugin ? (wire.pooled ? bindPooledPluginText : bindPluginText) : wire.pooled ? bindPooledText : bindText
    const values = [role === login ? "none" : role, tenant, local]
    if (wire.pooled) values.push(String(statementTimeoutMs))
    if (plugin) values.push(`plugboard.${roles.word}`)
    onStatement(text)
    await wire.send(text, values, wire.pooled ? "" : plugin ? "bind_plugin" : "bind")
    current = who
    boundInside ||= local
  }

  /** START TRANSACTION, COMMIT, ROLLBACK and savepoints come from slonik without a name. */
  async function control(text: string): Promise<DriverQueryResult> {
    if (text.startsWith("ROLLBACK")) current = unbound
    onStatement(text)
    const result = await wire.send(text, [], "")
    const commits = text.startsWith("COMMIT")
    // What was bound inside is over with the transaction; what was bound before it stands again.
    if (commits && boundInside) current = unbound
    if (wire.status() === idle) boundInside = false
    // PostgreSQL takes COMMIT for ROLLBACK then, and calls it no error.
    if (commits && (result.command as string) === "ROLLBACK") throw new Error("a statement of the transaction had failed, which was passed over; nothing was stored")
    return result
  }

  /** It may hold a transaction of its own, which a statement of it that fails leaves open, and with it everybody's queries that get the connection later. */
  async function script(text: string, values: readonly unknown[]): Promise<DriverQueryResult> {
    const free = wire.status() === idle
    return wire.send(text, values, scriptName).catch(async (error: unknown) => {
      if (free) await wire.send("ROLLBACK", [], "").catch(() => undefined)
      throw error
    })
  }

  async function ask(who: string, statement: string, text: string, values: readonly unknown[]): Promise<DriverQueryResult> {
    if (who !== current) await bind(who)
    onStatement(text)
    const limits = who.startsWith("x:") ? pluginLimits : undefined
    if (statement === scriptName) return script(text, values)
    if (statement === "" || statement === unlimitedName) return wire.send(text, values, statement, limits)
    // A plan that is kept under a name belongs to one server connection; behind a pooler the next query may have another.
    return wire.send(text, values, wire.pooled ? "" : generation > 0 ? `${statement}_${generation}` : statement, limits)
  }

  async function alone(who: string, statement: string, text: string, values: readonly unknown[]): Promise<DriverQueryResult> {
    await wire.send("START TRANSACTION", [], "")
    try {
      const result = await ask(who, statement, text, values)
      await wire.send("COMMIT", [], "")
      return result
    } catch (error) {
      await wire.send("ROLLBACK", [], "").catch(() => undefined)
      throw error
    } finally {
      current = unbound
    }
  }

  async function query(text: string, values: readonly unknown[], name: string | undefined): Promise<DriverQueryResult> {
    const bar = name?.indexOf("|") ?? -1
    try {
      if (bar < 0 || name === undefined) return await control(text)
      const who = name.slice(0, bar)
      const statement = name.slice(bar + 1)
      if (wire.pooled && wire.status() === idle) {
        // A script is the owner's, as is a connection on which everything else was bound for one transaction.
        return await (statement === scriptName ? script(text, values) : alone(who, statement, text, values))
      }
      try {
        return await ask(who, statement, text, values)
      } catch (error) {
        if (!isStalePlan(error)) throw error
        generation += 1
        current = unbound
        if (wire.status() !== idle) throw error
        return await ask(who, statement, text, values)
      }
    } catch (error) {
      current = unbound
      throw error
    }
  }

  /** One after another: a query that nobody awaited must not slip between another one's binding and its text. */
  return (text: string, values: readonly unknown[] = [], name?: string): Promise<DriverQueryResult> => {
    const mine = turn.then(() => query(text, values, name))
    turn = mine.catch(() => undefined)
    return mine
  }
}

/** A role that is `none` is the one that has logged in. */
function standingOf(who: string, roles: Roles): { role: string; tenant: string; plugin: boolean } {
  if (who === "owner") return { role: "none", tenant: "", plugin: false }
  if (who === "kernel") return { role: roles.kernel, tenant: "", plugin: false }
  const [kind, ...rest] = who.split(":")
  const tenant = rest.pop() ?? ""
  return kind === "x" ? { role: rest[0] ?? "", tenant, plugin: true } : { role: roles.app, tenant, plugin: false }
}

/** A migration has changed a table under a prepared statement, or somebody has dropped it: it must be prepared anew. */
function isStalePlan(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string }
  return code === "26000" || (code === "0A000" && /cached plan/.test(message ?? ""))
}
