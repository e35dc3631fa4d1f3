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

  clear(): void {
    this.#lent.clear()
  }
}
