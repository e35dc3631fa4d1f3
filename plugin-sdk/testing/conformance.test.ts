import { deepEqual } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"
import { Type } from "typebox"
import { defineManifest } from "../manifest.ts"
import { definePlugin, type Plugin } from "../plugin.ts"
import { type Tool, Tools } from "../points/tool.ts"
import { hookConformance } from "./hook-conformance.ts"
import { toolConformance } from "./tool-conformance.ts"

/** Runs suites as mocha would, and says which of their tests fail: the kits are held to what they find. */
async function failing(suite: () => void): Promise<string[]> {
  const failed: string[] = []
  const befores: (() => Promise<void>)[] = []
  const tests: { title: string; work: () => void | Promise<void> }[] = []
  const afters: (() => Promise<void>)[] = []
  const collect = {
    describe: (_: string, inner: () => void) => inner(),
    it: (title: string, work: () => void | Promise<void>) => void tests.push({ title, work }),
    before: (work: () => Promise<void>) => void befores.push(work),
    after: (work: () => Promise<void>) => void afters.push(work),
  }
  const { describe, it, before, after } = globalThis
  Object.assign(globalThis, collect)
  try {
    suite()
  } finally {
    Object.assign(globalThis, { describe, it, before, after })
  }
  try {
    for (const work of befores) await work()
    for (const { title, work } of tests) {
      try {
        await work()
      } catch {
        failed.push(title)
      }
    }
  } finally {
    for (const work of afters) await work()
  }
  return failed
}

const good: Tool = {
  name: "shout",
  description: "Says it again, louder.",
  parameters: Type.Object({ text: Type.String({ maxLength: 100 }) }),
  risk: "safe",
  async call({ text }, _, signal) {
    signal.throwIfAborted()
    return { content: `${String(text).toUpperCase()}!` }
  },
}

function pluginWith(tool: Tool): Plugin {
  const manifest = defineManifest({
    id: "loud",
    version: "1.0.0",
    sdk: "^1.0.0",
    contributes: [Tools],
    events: { "loud.heard": { payload: Type.Object({}), to: "operators" } },
  })
  return definePlugin(manifest, (host) => {
    host.contribute(Tools, tool.name, {
      ...tool,
      async call(args, context, signal) {
        if (args.text === "publish") host.events.publish(context.caller, "loud.heard", {})
        return tool.call(args, context, signal)
      },
    })
    return {}
  }) as unknown as Plugin
}

describe("what the conformance kits find", function () {
  this.timeout(120_000)
  const run = (tool: Tool, text = "hello") => failing(() => toolConformance({ plugin: pluginWith(tool), tool: tool.name, works: [{ text }], slow: { text: "slow" } }))
  const call = (answer: Tool["call"]): Tool => ({ ...good, call: answer })

  it("nothing in a tool that is as it should be", async () => {
    const patient = call(async (args, context, signal) => {
      if (args.text === "slow") await sleep(30_000, undefined, { signal })
      return good.call(args, context, signal)
    })
    deepEqual(await run(patient), [])
  })

  const cases: [what: string, tool: Tool, text: string, found: string][] = [
    [
      "parameters without bounds",
      { ...good, parameters: Type.Object({ text: Type.String() }) },
      "hello",
      "has parameters that are an object, bounded, and small enough to send with each request",
    ],
    ["a name that no model takes", { ...good, name: "shout it" }, "hello", "has a name that every model takes, and says what it is for"],
    ["an answer that is no text", call(async () => ({ content: 7 }) as never), "hello", "answers arguments that fit, in text of a bounded length"],
    [
      "a text that makes it throw",
      call(async ({ text }) => {
        if (text === "") throw new Error("nothing to shout")
        return { content: "x" }
      }),
      "hello",
      "takes any text that its parameters let through, and does not throw",
    ],
    [
      "a tool that does not hear an abort",
      call(async ({ text }) => {
        if (text === "slow") await sleep(2_500)
        return { content: "x" }
      }),
      "hello",
      "ends within a second when it is aborted, before or in its work",
    ],
    ["a safe tool that publishes", good, "publish", "is as harmless as its risk says"],
  ]
  for (const [what, tool, text, found] of cases) it(what, async () => deepEqual((await run(tool, text)).includes(found), true))

  describe("in taps", () => {
    const prompt = (message: string) => ({ runId: "r", agentKey: "a", sessionKey: "s", message, sections: [] as { key: string; text: string }[] })
    const tapping = (tap: (value: ReturnType<typeof prompt>) => unknown) =>
      definePlugin(defineManifest({ id: "tapper", version: "1.0.0", sdk: "^1.0.0", hooks: { "prompt.assembling": { phase: "recall", timeoutMs: 200 } } }), () => ({
        hooks: { "prompt.assembling": tap as never },
      }))
    const cases: [what: string, tap: (value: ReturnType<typeof prompt>) => unknown, found: string[]][] = [
      ["nothing in one that is as it should be", (value) => (value.message === "x" ? { ...value, message: "y" } : value), []],
      [
        "a copy where the value itself should be",
        (value) => (value.message === "x" ? { ...value, message: "y" } : { ...value }),
        ["leaves alone what is none of its business, and changes nothing of what it is given"],
      ],
      [
        "a value that is changed in place",
        (value) => {
          if (value.message === "x") value.message = "y"
          return value
        },
        ["does what it should with case 1", "keeps calls apart that run at once"],
      ],
      [
        "one that is too slow",
        async (value) => sleep(600, value.message === "x" ? { ...value, message: "y" } : value),
        ["leaves alone what is none of its business, and changes nothing of what it is given", "does what it should with case 1"],
      ],
    ]
    for (const [what, tap, found] of cases) {
      it(what, async () => {
        const failed = new Set(
          await failing(() =>
            hookConformance({ plugin: tapping(tap), hook: "prompt.assembling", untouched: [prompt("hello")], cases: [{ given: prompt("x"), expected: prompt("y") }] }),
          ),
        )
        deepEqual(
          found.filter((title) => !failed.has(title)),
          [],
        )
        if (found.length === 0) deepEqual([...failed], [])
      })
    }

    it("a stream in which a word is missed when it is cut", async () => {
      const blunt = definePlugin(defineManifest({ id: "blunt", version: "1.0.0", sdk: "^1.0.0", hooks: { "llm.stream": { phase: "guard" } } }), () => ({
        hooks: {
          async *"llm.stream"(batches) {
            for await (const batch of batches) yield batch.map((delta) => (delta.type === "text" ? { ...delta, text: delta.text.replaceAll("secret", "word") } : delta))
          },
        },
      }))
      const failed = await failing(() =>
        hookConformance({
          plugin: blunt,
          hook: "llm.stream",
          untouched: [[{ type: "text", text: "hello" }]],
          cases: [{ given: [{ type: "text", text: "a secret" }], expected: [{ type: "text", text: "a word" }] }],
        }),
      )
      deepEqual(
        [...new Set(failed)],
        ["makes the same of case 1, however it is cut", "makes the same of case 1, wherever it is cut in two", "keeps streams apart that run at once"],
      )
    })
  })
})
