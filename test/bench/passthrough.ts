import { mkdir, writeFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway, startProgram } from "../processes.ts"
import { cpuMs } from "./cpu.ts"
import { type Outcome, percentile, runLoad } from "./load.ts"
import { startPortkey } from "./portkey.ts"

// What a call that passes through costs, told as a ratio to a plain koa proxy that parses, to the same fake upstream in the same run; and the time that it adds to the first byte,
// with one connection; then many slow streams at once. `--portkey` installs Portkey's gateway and measures it beside them. `--quick` shows that the bench runs, its numbers mean nothing.
const { values } = parseArgs({
  options: { quick: { type: "boolean", default: false }, portkey: { type: "boolean", default: false }, calls: { type: "string", default: "6000" } },
})
const calls = values.quick ? 64 : Number(values.calls)
const token = "bench-token-0123456789abcdef"
const rounds = 5

interface Sample {
  perCallMs: number
  outcome: Outcome
}
/** A gateway of the comparison, with what its calls need. */
interface Contender extends Running {
  name: string
  headers: Record<string, string>
}

const here = (file: string) => new URL(file, import.meta.url).pathname

async function main(): Promise<void> {
  const storage = await scratchDatabase()
  const upstream = await startProgram(here("./upstream.ts"))
  const plain = await startProgram(here("./plain-proxy.ts"), [`${upstream.url}/v1`])
  await mkdir(storage.dataDir, { recursive: true })
  const config = `${storage.dataDir}/bench.config.json`
  await writeFile(config, JSON.stringify({ network: { allowPrivateHosts: ["127.0.0.1"] } }))
  const own = { PLUGBOARD_TOKEN: token, PLUGBOARD_PORT: "0", PLUGBOARD_DATA_DIR: storage.dataDir, PLUGBOARD_CONFIG: config }
  const gateway = await startGateway({ ...own, ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }) })
  const portkey = values.portkey ? await startPortkey(upstream.url) : undefined
  const contenders: Contender[] = [
    { name: "plain proxy", headers: {}, ...plain },
    { name: "gateway", headers: {}, ...gateway },
    ...(portkey ? [{ name: "Portkey", ...portkey }] : []),
  ]
  try {
    const response = await fetch(`${gateway.url}/v1/providers`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "bench", provider_type: "openai_compat", api_base: `${upstream.url}/v1`, api_key: "sk-bench-0123456789" }),
    })
    if (!response.ok) throw new Error(await response.text())
    for (const stream of [false, true]) await compare(contenders, stream)
    await comparePaced(contenders)
  } finally {
    await Promise.all([gateway.stop(), plain.stop(), upstream.stop(), portkey?.stop()])
    await storage.drop()
  }
}

async function compare(contenders: Contender[], stream: boolean): Promise<void> {
  const what = stream ? "50-token stream" : "call, JSON"
  const busy = await alternating(contenders, stream, 16, Math.ceil(calls / rounds))
  const alone = await alternating(contenders, stream, 1, Math.ceil(calls / rounds / 10))
  const cpu = (at: number) => median((busy[at] ?? []).map(({ perCallMs }) => perCallMs))
  const first = (at: number) => median((alone[at] ?? []).flatMap(({ outcome }) => outcome.firstByteMs))
  for (const [at, { name }] of contenders.entries()) {
    print(`${what}: CPU, ${name}`, `${cpu(at).toFixed(3)} ms, ${(cpu(at) / cpu(0)).toFixed(2)} times the plain proxy`)
    print(`${what}: first byte alone, ${name}`, `${first(at).toFixed(2)} ms, ${(first(at) - first(0)).toFixed(2)} added`)
  }
}

/** Many streams at once, whose tokens come slowly as from a model: each must arrive whole. */
async function comparePaced(contenders: Contender[]): Promise<void> {
  const connections = values.quick ? 50 : 1_000
  const perStream = contenders.map((): number[] => [])
  for (let round = 0; round < (values.quick ? 1 : rounds); round += 1) {
    for (const [at, contender] of contenders.entries()) {
      const before = cpuMs(contender.pid)
      const outcome = await runLoad({ ...callOf(contender, true, { paced: true }), connections, total: connections, whole: hasEveryToken })
      if (outcome.failed > 0) throw new Error(`${contender.name}: ${outcome.failed} paced streams were not whole`)
      perStream[at]?.push((cpuMs(contender.pid) - before) / connections)
    }
  }
  for (const [at, { name }] of contenders.entries()) {
    const own = median(perStream[at] ?? [])
    print(`${connections} paced streams: CPU, ${name}`, `${own.toFixed(3)} ms a stream, ${(own / median(perStream[0] ?? [])).toFixed(2)} times the plain proxy`)
  }
}

/** Rounds alternate between all, so that a slow minute of the machine falls on each. The first round warms up and does not count. */
async function alternating(contenders: Contender[], stream: boolean, connections: number, total: number): Promise<Sample[][]> {
  const samples = contenders.map((): Sample[] => [])
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, contender] of contenders.entries()) {
      const before = cpuMs(contender.pid)
      const outcome = await runLoad({ ...callOf(contender, stream), connections, total, whole: (text) => text.includes(stream ? "[DONE]" : '"finish_reason"') })
      if (outcome.failed > 0) throw new Error(`${contender.name}: ${outcome.failed} calls of the bench failed`)
      if (round > 0) samples[at]?.push({ perCallMs: (cpuMs(contender.pid) - before) / outcome.requests, outcome })
    }
  }
  return samples
}

/** All 50 words, in order and once each, and the end. */
function hasEveryToken(text: string): boolean {
  const words = [...text.matchAll(/"content":"([^"]*)"/g)].map(([, word]) => word).join("")
  return words === Array.from({ length: 50 }, (_, at) => `word${at} `).join("") && text.includes("[DONE]")
}

function callOf({ name, url, headers }: Contender, stream: boolean, more: object = {}) {
  const model = name === "Portkey" ? "bench" : "bench/bench"
  const body = JSON.stringify({ model, stream, ...more, messages: [{ role: "user", content: "Tell me about plugboards." }] })
  return { url, path: "/v1/chat/completions", headers: { authorization: `Bearer ${token}`, ...headers }, body }
}

function median(values: number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  )
}

function print(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(44)} ${value}\n`)
}

await main()
