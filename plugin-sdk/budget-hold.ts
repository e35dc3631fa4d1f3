import type { Caller } from "./caller.ts"
import type { Host } from "./host.ts"
import { Budgets, type BudgetsService, type Reservation, type SpendingCall } from "./services/budgets.ts"
import type { Spent } from "./services/prices.ts"
import type { Remote } from "./tokens.ts"

/** Three bytes a token: more than most texts have, of any language, so that it is no fewer than a provider counts. */
const bytesPerToken = 3
/** Of a picture that stands in the request, in bytes of text: about what providers count for a large one. */
const pictureBytes = 4_800

/** Budgets hold for a model call from here until `settle`. */
export class BudgetHold {
  /** Budgets near their end, for the client; empty when there is none. */
  readonly near: string
  /** Tokens that an answer may have which is no stream; undefined: as many as it likes. */
  readonly bound: number | undefined
  readonly #budgets: Remote<BudgetsService>
  readonly #caller: Caller
  readonly #id: string
  readonly #lost: (error: unknown) => void
  #outputTokens: number

  constructor(budgets: Remote<BudgetsService>, caller: Caller, { id, outputTokens, bound, near }: Reservation, lost: (error: unknown) => void) {
    this.#budgets = budgets
    this.#caller = caller
    this.#id = id
    this.#outputTokens = outputTokens
    this.#lost = lost
    this.bound = bound
    this.near = near.join(", ")
  }

  /** True when an answer of so many tokens is longer than what is set aside: `grow` before more of it is handed on. */
  isShort(outputTokens: number): boolean {
    return outputTokens > this.#outputTokens
  }

  /** Rejects when the budget has no room for more. */
  async grow(outputTokens: number): Promise<void> {
    this.#outputTokens = await this.#budgets.extend(this.#caller, this.#id, outputTokens)
  }

  /** On every way out, also with nothing spent. Waited for by nobody: what is set aside stands until it is done. */
  settle(spent: readonly Spent[]): void {
    this.#budgets.settle(this.#caller, this.#id, spent).catch(this.#lost)
  }
}

/**
 * Sets aside what a model call may use, where a budget holds for it; without one, or without the plugin, it costs a look into a cache. `prompt`: what is sent.
 * Rejects with the failure of `budgets` that the client is to see.
 */
export async function holdBudget(
  host: Pick<Host, "has" | "use" | "log">,
  caller: Caller,
  call: Omit<SpendingCall, "promptTokens">,
  prompt: unknown,
): Promise<BudgetHold | undefined> {
  if (!host.has(Budgets, caller)) return undefined
  const budgets = host.use(Budgets)
  if (!(await budgets.hold(caller, call.agent))) return undefined
  const reservation = await budgets.reserve(caller, { ...call, promptTokens: tokensAtMost(prompt) })
  return reservation ? new BudgetHold(budgets, caller, reservation, (err) => host.log.warn({ err }, "a budget was not settled; it counts what was set aside")) : undefined
}

/**
 * A model's answer under a budget: asked for when there is room for it, and cut off where it grows out of that. `said`: tokens of it so far. Without a hold it passes as it comes.
 * `ask` heeds the hold's `bound`.
 */
export function heldAnswer<T>(hold: () => Promise<BudgetHold | undefined>, ask: (held: BudgetHold | undefined) => AsyncIterable<T>, said: () => number): AsyncIterable<T> {
  let rest: AsyncIterator<T> | undefined
  let held: BudgetHold | undefined
  async function begin(): Promise<IteratorResult<T>> {
    held = await hold()
    rest = ask(held)[Symbol.asyncIterator]()
    return rest.next()
  }
  async function grow(asked: AsyncIterator<T>, budget: BudgetHold): Promise<IteratorResult<T>> {
    try {
      await budget.grow(said())
    } catch (error) {
      await asked.return?.()
      throw error
    }
    return asked.next()
  }
  const answer: AsyncIterator<T> = {
    next: () => (rest === undefined ? begin() : held?.isShort(said()) ? grow(rest, held) : rest.next()),
    async return() {
      await rest?.return?.()
      return { done: true, value: undefined }
    },
  }
  return { [Symbol.asyncIterator]: () => answer }
}

function tokensAtMost(prompt: unknown): number {
  const text = JSON.stringify(prompt, (_, value: unknown) =>
    typeof value === "string" && value.length > pictureBytes && value.startsWith("data:") ? value.slice(0, pictureBytes) : value,
  )
  return Math.ceil(Buffer.byteLength(text ?? "") / bytesPerToken)
}
