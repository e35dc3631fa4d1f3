import { deepEqual, equal, ok } from "node:assert/strict"
import type { Delta } from "../points/provider.ts"
import type { HookConformanceOptions, StartedHook } from "./hook-conformance.ts"
import { endsWithin, frozen, suiteGlobals } from "./suite.ts"

/** How a text may arrive: characters a piece, pieces a batch. */
const cuts = [
  { characters: Number.POSITIVE_INFINITY, batch: 1 },
  { characters: 1, batch: 1 },
  { characters: 1, batch: 1_000 },
  { characters: 2, batch: 3 },
  { characters: 3, batch: 1 },
  { characters: 7, batch: 2 },
  { characters: 16, batch: 1 },
] as const

/** What every tap of a stream must hold to: however a text is cut, what comes of it is the same. */
export function streamSuite(started: () => StartedHook<"llm.stream">, { untouched, cases }: HookConformanceOptions<"llm.stream">): void {
  const { it } = suiteGlobals()
  const through = (batches: readonly (readonly Delta[])[]) => collect(started().pipe(source(batches)))

  it("passes on what is none of its business, however it is cut", async () => {
    for (const given of untouched) for (const cut of cuts) deepEqual(joined(await through(cutUp(given, cut))), joined(given), describeCut(cut))
    deepEqual(started().complaints(), [])
  })

  for (const [at, { given, expected = [] }] of cases.entries()) {
    it(`makes the same of case ${at + 1}, however it is cut`, async () => {
      for (const cut of cuts) deepEqual(joined(await through(cutUp(given, cut))), joined(expected), describeCut(cut))
      deepEqual(started().complaints(), [])
    })

    it(`makes the same of case ${at + 1}, wherever it is cut in two`, async () => {
      for (const batches of halves(given)) deepEqual(joined(await through(batches)), joined(expected), JSON.stringify(batches))
    })
  }

  it("keeps streams apart that run at once", async () => {
    const all = [...untouched.map((given) => ({ given, expected: given })), ...cases.map(({ given, expected = [] }) => ({ given, expected }))]
    const results = await Promise.all(all.map(({ given }) => through(cutUp(given, { characters: 2, batch: 1 }))))
    deepEqual(
      results.map(joined),
      all.map(({ expected }) => joined(expected)),
    )
  })

  it("passes text on while more is to come", async () => {
    const never = new AbortController()
    async function* unfinished(): AsyncGenerator<readonly Delta[]> {
      for (let word = 0; word < 500; word += 1) yield [{ type: "text", text: ` and then word ${String.fromCharCode(97 + (word % 26))}` }]
      await new Promise((resolve) => never.signal.addEventListener("abort", resolve))
    }
    const stream = started().pipe(unfinished())[Symbol.asyncIterator]()
    const first = await endsWithin(5_000, "the first text", stream.next())
    ok(!first.done && first.value.length > 0)
    never.abort()
    await stream.return?.()
  })

  it("fails as its source fails", async () => {
    const broken = new Error("the provider is gone")
    async function* breaking(): AsyncGenerator<readonly Delta[]> {
      yield [{ type: "text", text: "one" }]
      throw broken
    }
    const error = await collect(started().pipe(breaking())).catch((thrown: unknown) => thrown)
    equal((error as Error).message, broken.message)
  })

  it("lets go of its source when it is left", async () => {
    let open = true
    async function* watched(): AsyncGenerator<readonly Delta[]> {
      try {
        for (;;) yield [{ type: "text", text: "on and on " }]
      } finally {
        open = false
      }
    }
    for await (const _ of started().pipe(watched())) break
    const deadline = performance.now() + 5_000
    while (open && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
    equal(open, false, "the model call goes on, and is paid for")
  })
}

async function* source(batches: readonly (readonly Delta[])[]): AsyncGenerator<readonly Delta[]> {
  for (const batch of batches) yield frozen(structuredClone(batch))
}

async function collect(batches: AsyncIterable<readonly Delta[]>): Promise<Delta[]> {
  const all: Delta[] = []
  for await (const batch of batches) {
    ok(batch.length > 0, "a batch is empty")
    for (const delta of batch) ok(!("text" in delta) || delta.text !== "", "a text is empty")
    all.push(...batch)
  }
  return all
}

/** Texts that follow each other become one: that is all that cutting changes. */
function joined(deltas: readonly Delta[]): Delta[] {
  const whole: Delta[] = []
  for (const delta of deltas) {
    const last = whole.at(-1)
    if (last && (last.type === "text" || last.type === "thinking") && delta.type === last.type) whole[whole.length - 1] = { ...last, text: last.text + delta.text }
    else whole.push(delta)
  }
  return whole
}

function cutUp(deltas: readonly Delta[], { characters, batch }: { characters: number; batch: number }): Delta[][] {
  const pieces = deltas.flatMap((delta): Delta[] => {
    if (delta.type !== "text" && delta.type !== "thinking") return [delta]
    const letters = Array.from(delta.text)
    const size = Math.min(characters, letters.length)
    return Array.from({ length: Math.ceil(letters.length / size) }, (_, at) => ({ ...delta, text: letters.slice(at * size, (at + 1) * size).join("") }))
  })
  return Array.from({ length: Math.ceil(pieces.length / batch) }, (_, at) => pieces.slice(at * batch, (at + 1) * batch))
}

/** Each text cut in two at each of its first 200 places. */
function* halves(deltas: readonly Delta[]): Generator<Delta[][]> {
  for (const [at, delta] of deltas.entries()) {
    if (delta.type !== "text" && delta.type !== "thinking") continue
    const letters = Array.from(delta.text)
    for (let place = 1; place < Math.min(letters.length, 200); place += 1) {
      const [head, tail] = [letters.slice(0, place).join(""), letters.slice(place).join("")]
      yield [...deltas.slice(0, at).map((before) => [before]), [{ ...delta, text: head }], [{ ...delta, text: tail }], ...deltas.slice(at + 1).map((behind) => [behind])]
    }
  }
}

function describeCut({ characters, batch }: { characters: number; batch: number }): string {
  return `cut into pieces of ${characters} characters, ${batch} a batch`
}
