import { parseArgs } from "node:util"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { type Running, startGateway, startProgram } from "../processes.ts"
import { cpuMs, residentMiB, treeCpuMs } from "./cpu.ts"
import { type Outcome, percentile, runLoad } from "./load.ts"
import { postmasterOf } from "./postmaster.ts"
import { measureIdleSockets, measureRpc } from "./sockets.ts"

// What a full agent turn costs, told as a ratio to a plain koa proxy to the same fake upstream in the same run, and as CPU time of each process.
// Embedded database unless TEST_DATABASE_URL is set. `--quick` is for CI: it shows that the bench runs, its numbers mean nothing.
const { values } = parseArgs({ options: { quick: { type: "boolean", default: false }, turns: { type: "string", default: "6000" } } })
const turns = values.quick ? 64 : Number(values.turns)
/** Until the compiler has seen everything there is to see. */
const warmUp = values.quick ? 16 : 3_000
/** Short, so that a slow minute of the machine falls on both. */
const rounds = values.quick ? 2 : 10
const connections = 16
const token = "bench-token-0123456789abcdef"

interface Sample {
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

/** Rounds alternate between the two. What a round costs depends on who else uses the machine, so the median is told, and the best round beside it. */
async function compare({ stream, gateway, plain, postmaster }: { stream: boolean; gateway: Running; plain: Running; postmaster: number | undefined }): Promise<void> {
  const body = JSON.stringify({ model: "agent:bench", stream, messages: [{ role: "user", content: "Tell me about plugboards." }] })
  const ask = (target: Running, total: number, atOnce = connections) =>
    runLoad({
      url: target.url,
      path: "/v1/chat/completions",
      headers: { authorization: `Bearer ${token}` },
      body,
      connections: atOnce,
      total,
      whole: (text) => text.includes(stream ? "[DONE]" : '"finish_reason"'),
    })
  const samples: Record<"plain" | "gateway", Sample[]> = { plain: [], gateway: [] }
  for (const target of [plain, gateway]) await ask(target, warmUp)
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, target] of Object.entries({ plain, gateway }) as ["plain" | "gateway", Running][]) {
      const before = { own: cpuMs(target.pid), database: postmaster ? treeCpuMs(postmaster) : 0 }
      const outcome = await ask(target, Math.ceil(turns / rounds))
      const after = { own: cpuMs(target.pid), database: postmaster ? treeCpuMs(postmaster) : 0 }
      if (outcome.failed > 0) throw new Error(`${outcome.failed} requests of the bench failed`)
      samples[name].push({ perRequestMs: (after.own - before.own) / outcome.requests, databaseMs: (after.database - before.database) / outcome.requests, outcome })
    }
  }
  const told = (name: keyof typeof samples, pick: (sample: Sample) => number) => {
    const sorted = samples[name].map(pick).sort((a, b) => a - b)
    return { median: percentile(sorted, 0.5), least: sorted[0] as number, most: sorted.at(-1) as number }
  }
  const own = told("gateway", (sample) => sample.perRequestMs)
  const theirs = told("plain", (sample) => sample.perRequestMs)
  const database = told("gateway", (sample) => sample.databaseMs)
  const rate = (sample: Sample) => (sample.outcome.requests / sample.outcome.ms) * 1_000
  const what = stream ? "turn, 50-token SSE" : "turn, JSON"
  const cost = ({ median, least }: { median: number; least: number }) => `${median.toFixed(3)} ms a request, best round ${least.toFixed(3)}`
  print(`${what}: CPU of the gateway`, cost(own))
  if (postmaster) print(`${what}: CPU of PostgreSQL`, cost(database))
  print(`${what}: CPU of the plain proxy`, cost(theirs))
  print(`${what}: CPU ratio`, `${(own.median / theirs.median).toFixed(2)}, best rounds ${(own.least / theirs.least).toFixed(2)}`)
  const [ownRate, theirRate] = [told("gateway", rate).most, told("plain", rate).most]
  print(`${what}: requests/s, best round`, `${ownRate.toFixed(0)} (plain ${theirRate.toFixed(0)}, ratio ${(ownRate / theirRate).toFixed(2)})`)
  // One at a time: what the gateway adds, without the queue before it.
  const alone: number[] = []
  for (const target of [plain, gateway]) alone.push(percentile((await ask(target, values.quick ? 4 : 300, 1)).firstByteMs, 0.5))
  const [plainFirst = 0, first = 0] = alone
  print(`${what}: first byte, one at a time`, `${first.toFixed(1)} ms (plain ${plainFirst.toFixed(1)}, added ${(first - plainFirst).toFixed(1)})`)
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
