import { deepEqual, equal, match } from "node:assert/strict"
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { startListening, userEnvironment } from "./machine.ts"
import { packedPackages } from "./packages.ts"

const execute = promisify(execFile)

/** An author's first hour, with nothing but the packed packages: a folder of each kind is written, installed, tested, packed, and served. */
describe("a plugin that the command has written", function () {
  this.timeout(600_000)
  const scratch = mkdtempSync(join(tmpdir(), "plugboard-scaffold-"))
  let packages: string[]
  const work = join(scratch, "work")
  const env = { ...userEnvironment(), PLUGBOARD_DATA_DIR: join(scratch, "data"), PLUGBOARD_PORT: "18791" }
  let gateway: Awaited<ReturnType<typeof startListening>> | undefined
  after(async () => {
    await gateway?.stop()
    rmSync(scratch, { recursive: true, force: true })
  })

  /** What a user's shell would print. Fails with all of it. */
  async function run(command: string, args: string[], cwd: string): Promise<string> {
    const done = await execute(command, args, { cwd, env, maxBuffer: 16 << 20 }).catch((error: { stdout: string; stderr: string; code: number }) => {
      throw new Error(`${command} ${args.join(" ")} ended with ${error.code}\n${error.stdout}\n${error.stderr}`)
    })
    return done.stdout
  }
  const install = (cwd: string, ...what: string[]) => run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", ...what], cwd)
  const plugboard = (...args: string[]) => run(join(work, "node_modules", ".bin", "plugboard"), args, work)

  before(async () => {
    mkdirSync(work)
    packages = await packedPackages(join(scratch, "packages"))
    await install(work, ...packages)
    gateway = await startListening(join(work, "node_modules", ".bin", "plugboard"), ["start"], { cwd: work, env, withinMs: 120_000 })
  })
  for (const kind of ["provider", "tool", "hook"]) {
    const name = `first-${kind}`
    const folder = join(work, name)

    it(`of the kind ${kind} has types that hold and tests that pass`, async () => {
      match(await plugboard("plugins", "create", name, "--kind", kind), new RegExp(`^${name}\n`))
      await install(folder, ...packages)
      equal((await run("npm", ["run", "--silent", "types"], folder)).trim(), "")
      match(await run("npm", ["test", "--silent"], folder), /\d+ passing/)
    })

    it(`of the kind ${kind} is packed, added and served`, async () => {
      const tarball = join(scratch, `${name}.tgz`)
      await plugboard("plugins", "pack", folder, "--out", tarball)
      const added = JSON.parse(await plugboard("plugins", "add", tarball, "--grant", "--json")) as { id: string; state: string }
      deepEqual([added.id, added.state], [name, "active"])
    })
  }

  it("does its work in a chat", async () => {
    const reply = await fetch(`${gateway?.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content: '/tool first-tool_count {"text":"one two three"}' }] }),
    })
    const { choices } = (await reply.json()) as { choices: { message: { content: string } }[] }
    match(choices[0]?.message.content ?? "", /The tool answered: 3 words/)
  })
})
