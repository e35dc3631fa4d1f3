import { mkdir, writeFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway, startProgram } from "../processes.ts"
import { cpuMs } from "./cpu.ts"
import { type Outcome, percentile, runLoad } from "./load.ts"

// What a call that passes through costs, told as a ratio to a plain koa proxy that parses, to the same fake upstream in the same run; and the time that it adds to the first byte,
// with one connection. `--quick` is for CI: it shows that the bench runs, its numbers mean nothing.
const { values } = parseArgs({ options: { quick: { type: "boolean", default: false }, calls: { type: "string", default: "6000" } } })
const calls = values.quick ? 64 : Number(values.calls)
const token = "bench-token-0123456789abcdef"
const rounds = 5

interface Sample {
  perCallMs: number
  outcome: Outcome
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
  try {
    const response = await fetch(`${gateway.url}/v1/providers`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "bench", provider_type: "openai_compat", api_base: `${upstream.url}/v1`, api_key: "sk-bench-0123456789" }),
    })
    if (!response.ok) throw new Error(await response.text())
    for (const stream of [false, true]) await compare(gateway, plain, stream)
  } finally {
    await Promise.all([gateway.stop(), plain.stop(), upstream.stop()])
    await storage.drop()
  }
}

async function compare(gateway: Running, plain: Running, stream: boolean): Promise<void> {
  const what = stream ? "50-token stream" : "call, JSON"
  const [own, other] = await alternating(gateway, plain, stream, 16, Math.ceil(calls / rounds))
  const [alone, otherAlone] = await alternating(gateway, plain, stream, 1, Math.ceil(calls / rounds / 10))
  const cpu = (samples: Sample[]) => samples.reduce((sum, sample) => sum + sample.perCallMs, 0) / samples.length
  const first = (samples: Sample[]) =>
    percentile(
      samples.flatMap(({ outcome }) => outcome.firstByteMs).sort((a, b) => a - b),
      0.5,
    )
  print(`${what}: CPU of the gateway`, `${cpu(own).toFixed(3)} ms`)
  print(`${what}: CPU of the plain proxy`, `${cpu(other).toFixed(3)} ms`)
  print(`${what}: CPU ratio`, (cpu(own) / cpu(other)).toFixed(2))
  print(`${what}: first byte alone, median`, `${first(alone).toFixed(2)} ms (plain ${first(otherAlone).toFixed(2)}, added ${(first(alone) - first(otherAlone)).toFixed(2)})`)
}

/** Rounds alternate between the two, so that a slow minute of the machine falls on both. The first round warms up and does not count. */
async function alternating(gateway: Running, plain: Running, stream: boolean, connections: number, total: number): Promise<[Sample[], Sample[]]> {
  const body = JSON.stringify({ model: "bench/bench", stream, messages: [{ role: "user", content: "Tell me about plugboards." }] })
  const samples: [Sample[], Sample[]] = [[], []]
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, { pid, url }] of [gateway, plain].entries()) {
      const before = cpuMs(pid)
      const headers = { authorization: `Bearer ${token}` }
      const outcome = await runLoad({ url, path: "/v1/chat/completions", headers, body, connections, total, mark: stream ? "[DONE]" : '"finish_reason"' })
      if (outcome.failed > 0) throw new Error(`${outcome.failed} calls of the bench failed`)
      if (round > 0) samples[at]?.push({ perCallMs: (cpuMs(pid) - before) / outcome.requests, outcome })
    }
  }
  return samples
}

function print(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(44)} ${value}\n`)
}

await main()
