import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { loadConfig } from "../../kernel/config.ts"
import { scratchDatabase } from "../../kernel/db/scratch.ts"
import { startGateway } from "../../kernel/gateway.ts"
import { percentile } from "./load.ts"

// How long chats take while plugins do their worst, beside how long they take when the same plugins rest. A ratio of 1.10 at the 99th percentile is the target.
// `--quick` is for CI: it shows that the bench runs, its numbers mean nothing.
const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } })
const roundMs = values.quick ? 500 : 8_000
const rounds = values.quick ? 1 : 3

/** An answer to a call that nobody made: the length of the rest, of the text, and the text. */
const frames = 'const frame = Buffer.from("\\x0e\\0\\0\\0\\x0a\\0\\0\\0[1,9999,0]", "latin1")'
const worst: readonly [id: string, what: string, handler: string, before: string][] = [
  ["blocks", "its event loop stands still", "() => { const end = Date.now() + 3000; while (Date.now() < end); return {} }", ""],
  [
    "threads",
    "every thread of its process counts",
    'async () => { await Promise.all(Array.from({ length: 16 }, () => new Promise((resolve) => pbkdf2("a", "b", 1e6, 64, "sha512", resolve)))); return {} }',
    'import { pbkdf2 } from "node:crypto"',
  ],
  ["buffers", "it takes memory until it is ended", "() => { const all = []; for (let n = 0; n < 256; n++) all.push(Buffer.alloc(16 << 20, 1)); return {} }", ""],
  [
    "frames",
    "it floods its pipe with frames",
    "() => { const many = Buffer.concat(Array(4096).fill(frame)); const end = Date.now() + 3000; while (Date.now() < end) { try { writeSync(1, many) } catch { } } return {} }",
    `import { writeSync } from "node:fs"\n${frames}`,
  ],
  ["logs", "it floods its log", '() => { for (let n = 0; n < 20000; n++) host.log.info({ n }, "noise"); return {} }', ""],
]

function write(root: string, [id, , handler, before]: (typeof worst)[number]): string {
  const folder = mkdtempSync(join(root, "plugin-"))
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }')
  const route = { method: "POST", path: `/v1/x/${id}/go`, role: "viewer", summary: "Go", reply: {} }
  const manifest = JSON.stringify({ id, version: "1.0.0", sdk: "^1.0.0", routes: { go: route } })
  writeFileSync(
    join(folder, "index.js"),
    `import { definePlugin } from "@plugboard/sdk"\n${before}\nexport default definePlugin(${manifest}, (host) => ({ routes: { go: ${handler} } }))\n`,
  )
  return folder
}

const post = (url: string, body: object) => fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })

/** How long chats took, one every 10 ms or as soon as the last has been answered; throws when one was not. */
async function chatsFor(url: string, ms: number): Promise<number[]> {
  const took: number[] = []
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const began = performance.now()
    const response = await post(`${url}/v1/chat/completions`, { messages: [{ role: "user", content: "/say yes" }] })
    await response.text()
    if (response.status !== 200) throw new Error(`a chat was answered with ${response.status}`)
    took.push(performance.now() - began)
    await sleep(10)
  }
  return took
}

const root = mkdtempSync(join(tmpdir(), "plugboard-bench-"))
const storage = await scratchDatabase()
const env = { PLUGBOARD_DATA_DIR: storage.dataDir, ...(storage.databaseUrl && { DATABASE_URL: storage.databaseUrl }), PLUGBOARD_LOG_LEVEL: "error" }
const gateway = await startGateway(loadConfig(env, { port: 0 }), { sandboxed: worst.map((one) => write(root, one)) })
try {
  await chatsFor(gateway.url, roundMs / 2)
  for (const [id, what] of worst) {
    const [calm, wild]: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round++) {
      calm.push(...(await chatsFor(gateway.url, roundMs / 2)))
      let over = false
      const attacking = (async () => {
        while (!over) {
          await (await post(`${gateway.url}/v1/x/${id}/go`, {})).text()
          await sleep(10)
        }
      })()
      wild.push(...(await chatsFor(gateway.url, roundMs / 2)))
      over = true
      await attacking
    }
    for (const took of [calm, wild]) took.sort((a, b) => a - b)
    const at = (share: number) =>
      `${percentile(calm, share).toFixed(1)} -> ${percentile(wild, share).toFixed(1)} ms (${(percentile(wild, share) / percentile(calm, share)).toFixed(2)})`
    process.stdout.write(`${`chats while ${what}`.padEnd(56)} p50 ${at(0.5)}, p99 ${at(0.99)}\n`)
  }
} finally {
  await gateway.close()
  await storage.drop()
  rmSync(root, { recursive: true, force: true })
}
