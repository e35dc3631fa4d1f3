/** Work that comes while other work is under way is done together, in the next turn: so many calls of one tenant wait for each other here and not on as many connections to the database. */
export class InTurns<I, O> {
  readonly #work: (items: readonly I[]) => Promise<readonly O[]>
  readonly #most: number
  #waiting: { item: I; resolve(answer: O): void; reject(error: unknown): void }[] = []
  #busy = false

  constructor(most: number, work: (items: readonly I[]) => Promise<readonly O[]>) {
    this.#most = most
    this.#work = work
  }

  get isIdle(): boolean {
    return !this.#busy && this.#waiting.length === 0
  }

  add(item: I): Promise<O> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      if (!this.#busy) void this.#go()
    })
  }

  async #go(): Promise<void> {
    this.#busy = true
    // Those of this very moment come along.
    await null
    while (this.#waiting.length > 0) {
      const turn = this.#waiting.splice(0, this.#most)
      try {
        const answers = await this.#work(turn.map(({ item }) => item))
        for (const [at, { resolve }] of turn.entries()) resolve(answers[at] as O)
      } catch (error) {
        for (const { reject } of turn) reject(error)
      }
    }
    this.#busy = false
  }
}

/** One line for each tenant, as long as somebody stands in it. */
export class TenantTurns<I, O> {
  readonly #lines = new Map<string, InTurns<I, O>>()
  readonly #most: number
  readonly #work: (tenantId: string, items: readonly I[]) => Promise<readonly O[]>

  constructor(most: number, work: (tenantId: string, items: readonly I[]) => Promise<readonly O[]>) {
    this.#most = most
    this.#work = work
  }

  async add(tenantId: string, item: I): Promise<O> {
    const line = this.#lines.get(tenantId) ?? new InTurns<I, O>(this.#most, (items) => this.#work(tenantId, items))
    this.#lines.set(tenantId, line)
    try {
      return await line.add(item)
    } finally {
      if (line.isIdle) this.#lines.delete(tenantId)
    }
  }
}
