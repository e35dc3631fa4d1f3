import { deepEqual, equal, match } from "node:assert/strict"
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { openRpc } from "@plugboard/sdk/testing"
import { startListening, userEnvironment } from "./machine.ts"
import { packedPackages } from "./packages.ts"

const run = promisify(execFile)
const root = join(import.meta.dirname, "..")

/** Both packages as they would be published, in a folder that has nothing else. */
describe("the packed packages in an empty folder", function () {
  this.timeout(300_000)
  const scratch = mkdtempSync(join(tmpdir(), "plugboard-packed-"))
  const folder = join(scratch, "empty")
  const env = userEnvironment()
  after(() => rmSync(scratch, { recursive: true, force: true }))

  before(async () => {
    mkdirSync(folder)
    // The repository's own tools compile; everything after this runs on what the machine has.
    const packages = await packedPackages(join(scratch, "packages"))
    await run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", ...packages], { cwd: folder, env })
  })

  it("brings no TypeScript source, no test and no tool of the repository, but for the folders that authors start from", async () => {
    const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root })
    const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }]
    const own = files.map(({ path }) => path).filter((path) => !path.startsWith("dist/kernel/command/templates/"))
    const strays = own.filter((path) => (/\.ts$/.test(path) && !path.endsWith(".d.ts")) || /\.test\.|^test\/|^\.ci\/|node_modules|^data\//.test(path))
    deepEqual(strays, [])
  })

  it("starts with the machine's own Node.js, answers /health, /docs and a chat, and keeps it over a restart", async () => {
    const start = () => startListening(join(folder, "node_modules", ".bin", "plugboard"), ["start"], { cwd: folder, env: { ...env, PLUGBOARD_PORT: "0" }, withinMs: 30_000 })
    const first = await start()
    const health = (await (await fetch(`${first.url}/health`)).json()) as { status: string }
    equal(health.status, "ok")
    const docs = await (await fetch(`${first.url}/docs`)).text()
    const assets = [...docs.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, path]) => new URL(path as string, `${first.url}/docs`).href)
    for (const asset of assets) equal(`${asset} ${(await fetch(asset)).status}`, `${asset} 200`)
    const reply = await fetch(`${first.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content: "Hello!" }] }),
    })
    equal(reply.status, 200)
    await first.stop()
    const second = await start()
    const socket = await openRpc(second.url)
    await socket.call("connect", { user_id: "system" })
    equal((await socket.call("sessions.list")).total, 1)
    socket.close()
    await second.stop()
  })

  it("gives a plugin's author a gateway to test with", async () => {
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
    writeFileSync(
      join(folder, "glossary.test.js"),
      `import { equal } from "node:assert/strict"
       import { defineManifest, definePlugin } from "@plugboard/sdk"
       import { testGateway } from "@plugboard/sdk/testing"
       import { Type } from "typebox"
       const manifest = defineManifest({
         id: "glossary", version: "1.0.0", sdk: "^1.0.0",
         routes: { list: { method: "GET", path: "/v1/x/glossary/terms", role: "viewer", summary: "List terms", reply: Type.Object({ terms: Type.Array(Type.String()) }) } },
       })
       const glossary = definePlugin(manifest, () => ({ routes: { list: async () => ({ terms: ["SLA"] }) } }))
       const gateway = await testGateway({ plugins: [glossary] })
       const { status, body } = await gateway.as("viewer").get("/v1/x/glossary/terms")
       await gateway.close()
       equal(status, 200)
       console.log(body.terms.join())`,
    )
    const { stdout } = await run(join(folder, "node_modules", ".bin", "node"), ["glossary.test.js"], { cwd: folder, env })
    match(stdout, /^SLA$/m)
  })

  it("has types that a strict compiler takes", async () => {
    writeFileSync(
      join(folder, "glossary.ts"),
      `import { defineManifest, definePlugin, row, sql } from "@plugboard/sdk"
       import { testGateway } from "@plugboard/sdk/testing"
       import { loadConfig, startGateway } from "plugboard"
       import { Type } from "typebox"
       const manifest = defineManifest({
         id: "glossary", version: "1.0.0", sdk: "^1.0.0", capabilities: { db: true },
         routes: { list: { method: "GET", path: "/v1/x/glossary/terms", role: "viewer", summary: "List terms", reply: Type.Object({ terms: Type.Array(Type.String()) }) } },
       })
       export default definePlugin(manifest, (host) => ({
         routes: {
           list: async ({ caller }) => {
             const rows = await host.db.for(caller).any(sql.type(row(Type.Object({ name: Type.String() })))\`SELECT name FROM glossary.terms LIMIT 9\`)
             return { terms: rows.map(({ name }) => name) }
           },
         },
       }))
       export const started = () => startGateway(loadConfig(process.env))
       export const tested = () => testGateway()`,
    )
    const options = [
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2024",
      "--lib",
      "es2025,esnext.disposable",
      "--skipLibCheck",
      "--types",
      "node",
      "--typeRoots",
      join(root, "node_modules", "@types"),
      "glossary.ts",
    ]
    const { stdout } = await run(join(root, "node_modules", ".bin", "tsc"), options, { cwd: folder }).catch((error: { stdout: string }) => error)
    equal(stdout, "")
  })
})
