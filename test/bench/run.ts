import { parseArgs } from "node:util"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway, startProgram } from "../processes.ts"
import { cpuMs, residentMiB, treeCpuMs } from "./cpu.ts"
import { type Outcome, percentile, runLoad } from "./load.ts"
import { postmasterOf } from "./postmaster.ts"
import { measureIdleSockets, measureRpc } from "./sockets.ts"

// What a full agent turn costs, told as a ratio to a plain koa proxy to the same fake upstream in the same run, and as CPU time of each process.
// Embedded database unless TEST_DATABASE_URL is set. `--quick` is for CI: it shows that the bench runs, its numbers mean nothing.
const { values } = parseArgs({ options: { quick: { type: "boolean", default: false }, turns: { type: "string", default: "4000" } } })
const turns = values.quick ? 64 : Number(values.turns)
const connections = 16
const token = "bench-token-0123456789abcdef"

interface Sample {
  name: string
  perRequestMs: number
  databaseMs: number
  outcome: Outcome
}

const here = (file: string) => new URL(file, import.meta.url).pathname

async function main(): Promise<void> {
  const storage = await scratchDatabase()
  const upstream = await startProgram(here("./upstream.ts"))
  const plain = await startProgram(here("./plain-proxy.ts"), [`${upstream.url}/v1`])
  const env = {
    PLUGBOARD_TOKEN: token,
    PLUGBOARD_PORT: "0",
    PLUGBOARD_DATA_DIR: storage.dataDir,
    PLUGBOARD_LOG_LEVEL: "info",
    PLUGBOARD_CONFIG: await benchConfig(storage.dataDir),
    ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }),
  }
  const first = await startGateway(env)
  await first.stop()
  const gateway = await startGateway(env)
  try {
    print("start-up, new database", `${first.startMs.toFixed(0)} ms`)
    print("start-up, existing database", `${gateway.startMs.toFixed(0)} ms`)
    print("resident memory after start", `${residentMiB(gateway.pid).toFixed(0)} MiB`)
    await useUpstream(gateway, upstream)
    const postmaster = storage.databaseUrl ? await postmasterOf(storage.databaseUrl) : undefined
    for (const stream of [false, true]) await compare({ stream, gateway, plain, postmaster })
    await measureRpc(gateway, token, values.quick ? 200 : 20_000, print)
    await measureIdleSockets(gateway, token, values.quick ? 100 : 2_000, print)
    print("resident memory at the end", `${residentMiB(gateway.pid).toFixed(0)} MiB`)
  } finally {
    await Promise.all([gateway.stop(), plain.stop(), upstream.stop()])
    await storage.drop()
  }
}

/** Rounds alternate between the two, so that a slow minute of the machine falls on both. The first round warms up and does not count. */
async function compare({ stream, gateway, plain, postmaster }: { stream: boolean; gateway: Running; plain: Running; postmaster: number | undefined }): Promise<void> {
  const body = JSON.stringify({ model: "agent:bench", stream, messages: [{ role: "user", content: "Tell me about plugboards." }] })
  const mark = stream ? "[DONE]" : '"finish_reason"'
  const rounds: Sample[] = []
  for (let round = 0; round < 4; round += 1) {
    for (const [name, target, path] of [
      ["plain", plain, "/v1/chat/completions"],
      ["gateway", gateway, "/v1/chat/completions"],
    ] as const) {
      const before = { own: cpuMs(target.pid), database: postmaster ? treeCpuMs(postmaster) : 0 }
      const outcome = await runLoad({ url: target.url, path, headers: { authorization: `Bearer ${token}` }, body, connections, total: Math.ceil(turns / 4), mark })
      const after = { own: cpuMs(target.pid), database: postmaster ? treeCpuMs(postmaster) : 0 }
      if (round > 0) rounds.push({ name, perRequestMs: (after.own - before.own) / outcome.requests, databaseMs: (after.database - before.database) / outcome.requests, outcome })
    }
  }
  const of = (name: string) => rounds.filter((sample) => sample.name === name)
  const mean = (samples: Sample[], pick: (sample: Sample) => number) => samples.reduce((sum, sample) => sum + pick(sample), 0) / samples.length
  const what = stream ? "turn, 50-token SSE" : "turn, JSON"
  const failed = rounds.reduce((sum, sample) => sum + sample.outcome.failed, 0)
  if (failed > 0) throw new Error(`${failed} requests of the bench failed`)
  print(`${what}: CPU of the gateway`, `${mean(of("gateway"), (s) => s.perRequestMs).toFixed(3)} ms a request`)
  if (postmaster) print(`${what}: CPU of PostgreSQL`, `${mean(of("gateway"), (s) => s.databaseMs).toFixed(3)} ms a request`)
  print(`${what}: CPU of the plain proxy`, `${mean(of("plain"), (s) => s.perRequestMs).toFixed(3)} ms a request`)
  print(`${what}: CPU ratio`, (mean(of("gateway"), (s) => s.perRequestMs) / mean(of("plain"), (s) => s.perRequestMs)).toFixed(2))
  const rate = (name: string) => mean(of(name), (s) => (s.outcome.requests / s.outcome.ms) * 1_000)
  print(`${what}: requests/s`, `${rate("gateway").toFixed(0)} (plain ${rate("plain").toFixed(0)}, ratio ${(rate("gateway") / rate("plain")).toFixed(2)})`)
  const first = (name: string) => mean(of(name), (s) => percentile(s.outcome.firstByteMs, 0.5))
  print(`${what}: first byte, median`, `${first("gateway").toFixed(1)} ms (plain ${first("plain").toFixed(1)}, added ${(first("gateway") - first("plain")).toFixed(1)})`)
}

async function benchConfig(folder: string): Promise<string> {
  const { mkdir, writeFile } = await import("node:fs/promises")
  await mkdir(folder, { recursive: true })
  const path = `${folder}/bench.config.json`
  await writeFile(path, JSON.stringify({ network: { allowPrivateHosts: ["127.0.0.1"] } }))
  return path
}

async function useUpstream(gateway: Running, upstream: Running): Promise<void> {
  const post = async (path: string, body: object) => {
    const response = await fetch(gateway.url + path, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  }
  await post("/v1/providers", { name: "bench", provider_type: "openai_compat", api_base: `${upstream.url}/v1`, api_key: "sk-bench-0123456789" })
  await post("/v1/agents", { name: "bench", provider: "bench", model: "bench", agent_type: "open" })
}

function print(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(44)} ${value}\n`)
}

await main()
