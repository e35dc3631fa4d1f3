import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { type Caller, defineManifest, definePlugin, type Prompt } from "@plugboard/sdk"
import { loadConfig } from "../../kernel/config.ts"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type RunningGateway, startGateway } from "../../kernel/gateway.ts"
import { givenPlugin } from "../../kernel/plugins/discover.ts"
import type { PluginManager } from "../../kernel/plugins/manager.ts"
import { descendantsOf, residentMiB } from "./cpu.ts"
import { percentile } from "./load.ts"

// What a plugin in a process of its own costs: a hook call alone and pipelined, beside the same tap in the gateway's process; from first need to first answer; memory;
// and what a request costs with plugins enabled that tap nothing on its path. `--quick` is for CI: it shows that the bench runs, its numbers mean nothing.
const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } })
const calls = values.quick ? 200 : 20_000
const caller: Caller = { tenantId: "0193a5b0-7000-7000-8000-000000000001", tenantSlug: "master", userId: "bench", role: "admin", scopes: [], locale: "en", via: "system" }
const prompt: Prompt = { runId: "r", agentKey: "a", sessionKey: "s", message: "What is a plugboard?", sections: [{ key: "persona", text: "You are kind.".repeat(20) }] }

function sourceOf(id: string, hook: string): string {
  return `import { defineManifest, definePlugin } from "@plugboard/sdk"
export default definePlugin(
  defineManifest({ id: "${id}", version: "1.0.0", sdk: "^1.0.0", hooks: { ${hook} } }),
  () => ({ hooks: { ${hook.split(":")[0]}: (value) => (value.sections ? { ...value, sections: [...value.sections, { key: "bench", text: "More." }] } : undefined) } }),
)
`
}

/** A folder for each plugin; none of them taps what a model call passes unless it is told to. */
function pluginFolders(folder: string, count: number, hook: string): string[] {
  return Array.from({ length: count }, (_, index) => {
    const own = mkdtempSync(join(folder, "plugin-"))
    writeFileSync(join(own, "package.json"), '{ "type": "module" }')
    writeFileSync(join(own, "index.js"), sourceOf(`bench-${index}`, hook))
    return own
  })
}

async function withGateway(options: Parameters<typeof startGateway>[1], work: (gateway: RunningGateway) => Promise<void>): Promise<void> {
  const storage = await scratchDatabase()
  const env = { PLUGBOARD_DATA_DIR: storage.dataDir, ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }), PLUGBOARD_LOG_LEVEL: "error" }
  const gateway = await startGateway(loadConfig(env, { port: 0 }), options)
  try {
    await work(gateway)
  } finally {
    await gateway.close()
    await storage.drop()
  }
}

async function measureHook(name: string, gateway: RunningGateway): Promise<void> {
  const hooks = (gateway.registry as PluginManager).hooksFor(caller.tenantId)
  const { signal } = new AbortController()
  const call = () => hooks.call("prompt.assembling", prompt, { caller, signal })
  const began = performance.now()
  await call()
  print(`${name}: first call`, `${(performance.now() - began).toFixed(1)} ms`)
  for (let index = 0; index < calls / 4; index++) await call()
  const alone: number[] = []
  for (let index = 0; index < calls / 4; index++) {
    const at = performance.now()
    await call()
    alone.push((performance.now() - at) * 1_000)
  }
  const from = performance.now()
  for (let left = calls; left > 0; left -= 64) await Promise.all(Array.from({ length: Math.min(64, left) }, call))
  print(`${name}: a call alone, median`, `${percentile(alone, 0.5).toFixed(1)} us`)
  print(`${name}: a call, 64 at once`, `${(((performance.now() - from) * 1_000) / calls).toFixed(1)} us`)
}

/** CPU of this process for one whole agent turn, in ms. */
async function turnCpuMs(gateway: RunningGateway): Promise<number> {
  const body = JSON.stringify({ messages: [{ role: "user", content: "/say yes" }] })
  const turn = async () => void (await (await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", headers: { "content-type": "application/json" }, body })).text())
  const turns = values.quick ? 20 : 1_500
  for (let index = 0; index < turns / 2; index++) await turn()
  const before = process.cpuUsage()
  for (let index = 0; index < turns; index++) await turn()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000 / turns
}

const folder = mkdtempSync(join(tmpdir(), "plugboard-bench-"))
const tapping = '"prompt.assembling": { phase: "recall" }'
try {
  const shared = givenPlugin(
    definePlugin(defineManifest({ id: "bench-0", version: "1.0.0", sdk: "^1.0.0", hooks: { "prompt.assembling": { phase: "recall" } } }), () => ({
      hooks: { "prompt.assembling": (value) => ({ ...value, sections: [...value.sections, { key: "bench", text: "More." }] }) },
    })) as never,
  )
  await withGateway({ extra: [shared] }, (gateway) => measureHook("in the gateway's process", gateway))
  await withGateway({ sandboxed: pluginFolders(folder, 1, tapping) }, async (gateway) => {
    await measureHook("in a process of its own", gateway)
    const held = descendantsOf(process.pid).map(residentMiB)
    print("in a process of its own: memory", `${Math.max(...held).toFixed(0)} MiB`)
  })
  const turns: string[] = []
  for (const count of values.quick ? [0, 3] : [0, 10, 100]) {
    // They tap the end of what never happens here: a tool call.
    await withGateway({ sandboxed: pluginFolders(folder, count, '"tool.called": { phase: "trim" }') }, async (gateway) => {
      turns.push(`${count}: ${(await turnCpuMs(gateway)).toFixed(3)}`)
    })
  }
  print("CPU of a turn by enabled plugins that do not tap it", `${turns.join(", ")} ms`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function print(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(52)} ${value}\n`)
}
