import { deepEqual, equal, rejects } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { type Caller, Failure, type HookName, isError, type Prompt, type TapDecl } from "@plugboard/sdk"
import { createLog, Redactor } from "../log.ts"
import { HookSet } from "./hook-set.ts"
import type { RegisteredTap } from "./tap.ts"

const caller: Caller = { tenantId: "t", tenantSlug: "t", userId: "u", role: "viewer", scopes: [], locale: "en", via: "system" }
const prompt: Prompt = { runId: "r", agentKey: "a", sessionKey: "s", message: "m", sections: [] }

describe("hook sets", () => {
  let lines: string[]
  beforeEach(() => {
    lines = []
  })
  const set = (...taps: RegisteredTap[]) => new HookSet(taps, createLog({ level: "info", redactor: new Redactor(), write: (line) => lines.push(line) }))
  const tap = (plugin: string, hook: HookName, decl: TapDecl, run: (value: never) => unknown): RegisteredTap => ({ plugin, hook, decl, run })
  const context = () => ({ caller, signal: AbortSignal.timeout(60_000) })
  const adding = (key: string) => (value: Prompt) => ({ ...value, sections: [...value.sections, { key, text: key }] })
  const keys = (value: Prompt) => value.sections.map((section) => section.key)

  it("runs taps by phase first, then in the order given", async () => {
    const hooks = set(
      tap("late", "prompt.assembling", { phase: "shape" }, adding("shape")),
      tap("b", "prompt.assembling", { phase: "recall" }, adding("b")),
      tap("a", "prompt.assembling", { phase: "recall" }, adding("a")),
      tap("first", "prompt.assembling", { phase: "persona" }, adding("persona")),
    )
    deepEqual(keys(await hooks.call("prompt.assembling", prompt, context())), ["persona", "b", "a", "shape"])
  })

  it("gives the very same value back when nobody taps", async () => {
    equal(await set().call("prompt.assembling", prompt, context()), prompt)
    equal(await set().call("tool.calling", {} as never, context()), undefined)
  })

  it("goes on without an open tap that fails, and logs it once with its plugin", async () => {
    const hooks = set(
      tap("broken", "prompt.assembling", { phase: "recall" }, () => {
        throw new Error("no luck")
      }),
      tap("fine", "prompt.assembling", { phase: "shape" }, adding("fine")),
    )
    deepEqual(keys(await hooks.call("prompt.assembling", prompt, context())), ["fine"])
    equal(lines.length, 1)
    equal(JSON.parse(lines[0] as string).plugin, "broken")
  })

  it("fails the request for a closed tap, naming the plugin", async () => {
    const hooks = set(tap("guard", "prompt.assembling", { phase: "recall", failure: "closed" }, () => Promise.reject(new Error("no luck"))))
    await rejects(hooks.call("prompt.assembling", prompt, context()), (error) => isError(error, "kernel.hook_failed") && error.failure.params.plugin === "guard")
  })

  it("lets a closed tap refuse with a failure of its own", async () => {
    const refusal = new Failure({ name: "guard.card_number", kind: "INVALID_REQUEST", params: {} })
    const hooks = set(tap("guard", "prompt.assembling", { phase: "recall", failure: "closed" }, () => Promise.reject(refusal)))
    await rejects(hooks.call("prompt.assembling", prompt, context()), (error) => error === refusal)
  })

  it("leaves a tap behind when its time is up, and aborts its signal", async () => {
    let aborted = false
    const slow: RegisteredTap = {
      plugin: "slow",
      hook: "prompt.assembling",
      decl: { phase: "recall", timeoutMs: 20 },
      run: async (_, { signal }) => {
        signal.addEventListener("abort", () => {
          aborted = true
        })
        await sleep(2_000, undefined, { signal }).catch(() => undefined)
        return undefined
      },
    }
    equal(await set(slow).call("prompt.assembling", prompt, context()), prompt)
    equal(aborted, true)
  })

  it("stops a bail hook at the first answer", async () => {
    const asked: string[] = []
    const answering = (name: string, answer: unknown) =>
      tap(name, "tool.calling", { phase: "guard" }, () => {
        asked.push(name)
        return answer
      })
    const hooks = set(answering("a", undefined), answering("b", { allow: false, reason: "no" }), answering("c", undefined))
    deepEqual(await hooks.call("tool.calling", {} as never, context()), { allow: false, reason: "no" })
    deepEqual(asked, ["a", "b"])
  })

  it("wraps a stream in phase order and passes it through untouched without taps", async () => {
    async function* source() {
      yield [{ type: "text" as const, text: "a" }]
    }
    const stream = source()
    equal(set().pipe("llm.stream", stream, context()), stream)
    const upper = tap("upper", "llm.stream", { phase: "guard" }, async function* upperCase(deltas: AsyncIterable<{ type: string; text: string }[]>) {
      for await (const batch of deltas) yield batch.map((delta) => ({ ...delta, text: delta.text.toUpperCase() }))
    } as never)
    const seen: unknown[] = []
    for await (const batch of set(upper).pipe("llm.stream", source(), context())) seen.push(...batch)
    deepEqual(seen, [{ type: "text", text: "A" }])
  })
})
