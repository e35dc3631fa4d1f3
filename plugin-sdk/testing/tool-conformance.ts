import { deepEqual, equal, ok } from "node:assert/strict"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { TSchema } from "typebox"
import { Value } from "typebox/value"
import type { Caller } from "../caller.ts"
import type { PointUsers } from "../host.ts"
import { defineManifest } from "../manifest.ts"
import { definePlugin, type Plugin } from "../plugin.ts"
import { type Risk, type Tool, type ToolResult, Tools } from "../points/tool.ts"
import type { TestGateway } from "./gateway.ts"
import { endsWithin, type GivenPlugin, manifestOf, type Place, placeTitles, startIn, suiteGlobals } from "./suite.ts"
import { digestOf } from "./table-digest.ts"

type Arguments = Readonly<Record<string, unknown>>

export interface ToolConformanceOptions {
  /** The plugin that contributes the tool, as `testGateway` takes it. */
  plugin: GivenPlugin
  tool: string
  /** Arguments that it answers. */
  works: readonly [Arguments, ...Arguments[]]
  /** Arguments that fit its parameters, and that it must answer with an error. */
  fails?: readonly Arguments[]
  /** Arguments whose call takes more than five seconds, for a tool that has such. */
  slow?: Arguments
  /** Longest answer in characters; 100,000 when left out: a model reads all of it. */
  maxChars?: number
  /** Gateway configuration. */
  config?: Record<string, unknown>
  /** True: with the bundled plugins, for a plugin that needs their services. */
  bundled?: boolean
  /** True: also in a process of its own, from the plugin's folder, as an installed plugin runs. */
  sandboxed?: boolean
}

const risks: readonly Risk[] = ["safe", "read", "write", "exec"]
/** Texts that somebody forgot: each is tried where the parameters take it. */
const odd = ["", "\u0000", " ", "'; DROP TABLE x; --", "../../../etc/passwd", "{{x}}", "𝒳🙂\u202e", "a".repeat(10_000)]

/**
 * What every tool must hold to, as mocha suites: call it in a test file.
 * Needs the package `plugboard` beside `@plugboard/sdk`.
 */
export function toolConformance(options: ToolConformanceOptions): void {
  const { describe } = suiteGlobals()
  describe(`tool ${options.tool}`, () => {
    for (const place of ["copied", ...(options.sandboxed ? (["sandbox"] as const) : [])] as const) describe(placeTitles[place], () => toolSuite(options, place))
  })
}

function toolSuite(options: ToolConformanceOptions, place: Place): void {
  const { it, before, after } = suiteGlobals()
  const { tool: name, works, fails = [], slow, maxChars = 100_000 } = options
  let started: StartedTool
  before(async () => {
    started = await startTool(options, place)
  })
  after(async () => started?.gateway.close())

  it("has a name that every model takes, and says what it is for", () => {
    const { tool } = started
    equal(tool.name, name)
    ok(/^[a-zA-Z0-9_-]{1,64}$/.test(tool.name), "letters, digits, _ and -, at most 64")
    ok(tool.description.trim().length > 10 && tool.description.length <= 1_024, "a description of 10 to 1,024 characters")
    ok(risks.includes(tool.risk), `risk ${tool.risk}`)
  })

  it("has parameters that are an object, bounded, and small enough to send with each request", () => {
    const { parameters } = started.tool
    equal((parameters as { type?: string }).type, "object")
    ok(JSON.stringify(parameters).length <= 16_384, "more than 16 KiB of parameters")
    deepEqual(unbounded(parameters), [], "texts without maxLength, lists without maxItems")
    for (const args of [...works, ...fails, ...(slow ? [slow] : [])]) ok(Value.Check(parameters, args), `the arguments of the suite do not fit: ${JSON.stringify(args)}`)
  })

  it("answers arguments that fit, in text of a bounded length", async () => {
    for (const args of works) {
      const result = await started.call(args)
      checkResult(result, maxChars)
      ok(!result.isError, `${JSON.stringify(args)}: ${result.content}`)
    }
  })

  if (fails.length > 0) {
    it("answers what cannot be done with an error that a model can act on, and does not throw", async () => {
      for (const args of fails) {
        const result = await started.call(args)
        checkResult(result, maxChars)
        ok(result.isError, `${JSON.stringify(args)} is no error: ${result.content}`)
      }
    })
  }

  it("takes any text that its parameters let through, and does not throw", async () => {
    for (const args of variants(started.tool.parameters, works[0])) checkResult(await endsWithin(10_000, JSON.stringify(args).slice(0, 200), started.call(args)), maxChars)
  })

  it("keeps calls apart that run at once", async () => {
    const results = await Promise.all(Array.from({ length: 10 }, () => started.call(works[0])))
    for (const result of results) ok(!result.isError, result.content)
  })

  it("ends within a second when it is aborted, before or in its work", async () => {
    for (const [args, afterMs] of [[works[0], 0], ...(slow ? [[slow, 300] as const] : [])] as const) {
      const abort = new AbortController()
      const work = started.call(args, afterMs === 0 ? AbortSignal.abort() : abort.signal).then(
        (result) => ok(afterMs === 0 || result.isError, "it went on to the end"),
        () => undefined,
      )
      setTimeout(() => abort.abort(), afterMs)
      await endsWithin(afterMs + 1_000, "an aborted call", work)
    }
  })

  it("is as harmless as its risk says", async () => {
    const { tool, gateway } = started
    const before = await digestOf(gateway, manifestOf(options.plugin).id)
    const { statements, events, requests } = await quietest(5, () => watched(started, works[0]))
    if (tool.risk === "safe") equal(statements, 0, `${statements} statements: a tool that looks into the database is not safe but read`)
    if (tool.risk !== "exec") equal(requests, 0, `${requests} requests went out: a tool that reaches outside is exec`)
    if (tool.risk === "safe" || tool.risk === "read") {
      deepEqual(events, [], "a tool that publishes is write")
      equal(await digestOf(gateway, manifestOf(options.plugin).id), before, "a tool that changes rows is write")
    }
  })
}

export interface StartedTool {
  gateway: TestGateway
  tool: Tool
  /** As an operator of the tenant `master`. */
  call(args: Arguments, signal?: AbortSignal): Promise<ToolResult>
  /** Names of the plugin's events so far. */
  readonly events: readonly string[]
}

/** A tool on a gateway of its own, for an author's further tests: close the gateway after them. */
export async function startTool(options: Pick<ToolConformanceOptions, "plugin" | "tool" | "config" | "bundled">, place: Place = "copied"): Promise<StartedTool> {
  let tools: PointUsers<Tool> | undefined
  let caller: Caller | undefined
  const events: string[] = []
  const declared = Object.keys(manifestOf(options.plugin).events ?? {})
  const manifest = defineManifest({ id: "conformance", version: "1.0.0", sdk: "^1.0.0", summary: "Looks at a tool.", opens: [Tools], listens: declared })
  const probe = definePlugin(manifest, (host) => {
    tools = host.open(Tools)
    for (const event of declared) host.events.subscribe(event, () => void events.push(event))
    return {
      start: () =>
        host.eachTenant(async (system) => {
          caller ??= { ...system, userId: "conformance", role: "operator" }
        }),
    }
  })
  const gateway = await startIn(place, options.plugin, probe as unknown as Plugin, { bundled: options.bundled ?? false, config: options.config })
  const tool = tools?.get(options.tool)
  if (!tool) await gateway.close()
  ok(tool, `no plugin contributes the tool ${options.tool}`)
  const context = {
    caller: caller as Caller,
    runId: "00000000-0000-7000-8000-000000000000",
    agentKey: "default",
    sessionKey: "agent:default:conformance",
    channel: "ws",
    chatId: "conformance",
  }
  return { gateway, tool, events, call: (args, signal = AbortSignal.timeout(30_000)) => tool.call(structuredClone(args), context, signal) }
}

function checkResult(result: ToolResult, maxChars: number): void {
  equal(typeof result.content, "string")
  ok(result.content.length > 0, "an answer without text: say that there is nothing")
  ok(result.content.length <= maxChars, `${result.content.length} characters`)
  ok(result.isError === undefined || typeof result.isError === "boolean")
  deepEqual(structuredClone(result), result, "it must be able to cross a process")
}

/** Paths of texts and lists that a model could make as long as it likes. */
function unbounded(schema: TSchema, path = ""): string[] {
  const { type, properties, items, anyOf, maxLength, maxItems, format } = schema as Record<string, unknown> & {
    properties?: Record<string, TSchema>
    anyOf?: TSchema[]
    items?: TSchema
  }
  const own = (type === "string" && maxLength === undefined && format === undefined && !("enum" in schema) && !("const" in schema)) || (type === "array" && maxItems === undefined)
  const inner = [...Object.entries(properties ?? {}), ...(items ? [["items", items] as const] : []), ...(anyOf ?? []).map((branch, at) => [String(at), branch] as const)]
  return [...(own ? [path || "/"] : []), ...inner.flatMap(([name, member]) => unbounded(member, `${path}/${name}`))]
}

/** The arguments with each text of theirs, and each text that could be there, replaced by an odd one. */
function variants(parameters: TSchema, args: Arguments): Arguments[] {
  const names = Object.keys((parameters as { properties?: object }).properties ?? {})
  return names.flatMap((name) => odd.map((text) => ({ ...args, [name]: text }))).filter((changed) => Value.Check(parameters, changed))
}

/** What a call does that others can see. */
async function watched({ gateway, call, events }: StartedTool, args: Arguments): Promise<{ statements: number; events: string[]; requests: number }> {
  let requests = 0
  const count = () => {
    requests += 1
  }
  const [statementsBefore, eventsBefore] = [gateway.statements.count, events.length]
  subscribe("undici:request:create", count)
  try {
    await call(args)
  } finally {
    unsubscribe("undici:request:create", count)
  }
  const statements = gateway.statements.count - statementsBefore
  // Events arrive after their commit.
  await new Promise((resolve) => setTimeout(resolve, 200))
  return { statements, events: events.slice(eventsBefore), requests }
}

/** The gateway does work of its own in the background: the one of several looks that saw least tells of the tool. */
async function quietest<T extends { statements: number; requests: number }>(times: number, look: () => Promise<T>): Promise<T> {
  let least = await look()
  for (let time = 1; time < times && least.statements + least.requests > 0; time += 1) {
    const next = await look()
    if (next.statements + next.requests < least.statements + least.requests) least = next
  }
  return least
}
