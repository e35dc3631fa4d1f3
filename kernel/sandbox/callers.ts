import { randomBytes } from "node:crypto"
import type { Caller } from "@plugboard/sdk"
import { fail } from "../failures.ts"

/** A caller as a plugin's process holds it. */
export type LentCaller = Caller & { readonly handle: string }

/**
 * The callers that a process may act for: each is lent for one call or job and taken back at its end. What the process sends back is looked up by the handle alone;
 * the rest of it is what the plugin may read, and decides nothing.
 */
export class LentCallers {
  readonly #lent = new Map<string, Caller>()

  lend(caller: Caller): LentCaller {
    const handle = randomBytes(16).toString("base64url")
    this.#lent.set(handle, caller)
    return { ...caller, handle }
  }

  takeBack({ handle }: LentCaller): void {
    this.#lent.delete(handle)
  }

  /** Fails for a handle that was never lent to this process, or whose call has ended. */
  demand(value: unknown): Caller {
    const handle = typeof value === "object" && value !== null ? (value as { handle?: unknown }).handle : undefined
    const caller = typeof handle === "string" ? this.#lent.get(handle) : undefined
    if (!caller) throw fail("caller_expired")
    return caller
  }

  /** Is it one that this process was lent? Others are data. */
  find(value: unknown): Caller | undefined {
    const handle = typeof value === "object" && value !== null ? (value as { handle?: unknown }).handle : undefined
    return typeof handle === "string" ? this.#lent.get(handle) : undefined
  }

  /**
   * `value` with the real callers in the place of those that were lent, wherever they stand. Fails with `kernel.caller_expired` for what looks like a caller and was not lent:
   * a service would act for it.
   */
  resolve(value: unknown): unknown {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Symbol.asyncIterator in value) return value
    const lent = this.find(value)
    if (lent) return lent
    if ("tenantId" in value && "role" in value) throw fail("caller_expired")
    if (Array.isArray(value)) return value.map((item) => this.resolve(item))
    if (value instanceof Date) return value
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.resolve(member)]))
  }

  clear(): void {
    this.#lent.clear()
  }
}
