/** As in the log. A line of a level that is not written for the gateway's own log is made only while somebody reads along from there. */
export const levels = { debug: 20, info: 30, warn: 40, error: 50, silent: Number.POSITIVE_INFINITY } as const

/** Lines kept for who begins to read, and characters of one: a longer one is left out there, it may be a picture. */
const kept = 1_000
const longest = 32_768

/** What was written last, and who reads along. Gets lines as they are written, secrets masked. */
export class LogLines {
  readonly #recent: string[] = []
  #next = 0
  readonly #readers = new Map<(line: string) => void, number>()
  /** Of the gateway's own log. */
  #own: number
  #least: number

  constructor(level: string) {
    this.#own = this.#least = levelOf(level)
  }

  /** Changes the level of the gateway's own log. */
  set level(level: string) {
    this.#own = levelOf(level)
    this.#settle()
  }

  /** What is below is not made. */
  get least(): number {
    return this.#least
  }

  /** True: it goes to the gateway's own log. */
  took(line: string, level: number): boolean {
    if (line.length <= longest) {
      this.#recent[this.#next] = line
      this.#next = (this.#next + 1) % kept
      for (const [reader, from] of this.#readers) if (level >= from) reader(line)
    }
    return level >= this.#own
  }

  /** The oldest first. */
  get recent(): string[] {
    return [...this.#recent.slice(this.#next), ...this.#recent.slice(0, this.#next)]
  }

  /** Each line from `level` up, until the answer is called. `reader` must not throw, nor write to the log. */
  read(level: keyof typeof levels, reader: (line: string) => void): () => void {
    this.#readers.set(reader, levels[level])
    this.#settle()
    return () => {
      this.#readers.delete(reader)
      this.#settle()
    }
  }

  #settle(): void {
    this.#least = Math.min(this.#own, ...this.#readers.values())
  }
}

function levelOf(name: string): number {
  return levels[name as keyof typeof levels] ?? levels.info
}
