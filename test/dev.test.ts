import { equal, match } from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { createPlugin } from "../kernel/command/create.ts"

const main = join(import.meta.dirname, "..", "kernel", "main.ts")

/** An author's session: a gateway with the plugin in a folder, and a save now and then. */
describe("plugboard plugins dev", function () {
  this.timeout(120_000)
  const scratch = mkdtempSync(join(tmpdir(), "plugboard-dev-"))
  const lines: string[] = []
  let child: ChildProcess
  let folder: string
  let url: string

  before(async () => {
    ;({ folder } = await createPlugin("words", "tool", scratch))
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, PLUGBOARD_PORT: "0", PLUGBOARD_DATA_DIR: join(scratch, "data") }
    child = spawn(process.execPath, ["--disable-sigusr1", "--conditions=plugboard-source", main, "plugins", "dev", folder], {
      cwd: scratch,
      env,
      stdio: ["ignore", "pipe", "inherit"],
    })
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => lines.push(line))
    url = /http:\S+(?=,)/.exec(await said(/gateway +ready/))?.[0] ?? ""
  })
  after(async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGTERM")
    await ended
    rmSync(scratch, { recursive: true, force: true })
  })

  /** The first line that fits, of those that came after the last one asked for. */
  let read = 0
  async function said(pattern: RegExp): Promise<string> {
    for (const deadline = performance.now() + 60_000; performance.now() < deadline; ) {
      const at = lines.findIndex((line, index) => index >= read && pattern.test(line))
      if (at >= 0) {
        read = at + 1
        return lines[at] as string
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${pattern} was not said:\n${lines.join("\n")}`)
  }
  const change = (file: string, from: string, to: string) => {
    const path = join(folder, file)
    writeFileSync(path, readFileSync(path, "utf8").replace(from, to))
  }
  async function count(): Promise<string> {
    const body = JSON.stringify({ messages: [{ role: "user", content: '/tool words_count {"text":"one two"}' }] })
    const reply = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers: { "content-type": "application/json" }, body })
    const { choices } = (await reply.json()) as { choices: { message: { content: string } }[] }
    return /The tool answered: (.*)$/.exec(choices[0]?.message.content ?? "")?.[1] ?? ""
  }

  it("serves the plugin, and says how long its calls take", async () => {
    equal(await count(), "2 words")
    match(await said(/words +took +tool words_count/), / \d+\.\d ms$/)
  })

  it("brings it up anew when a file is saved", async () => {
    change("count-words.ts", " words`", " of them`")
    await said(/words +up +0\.1\.0 anew in \d+ ms/)
    equal(await count(), "2 of them")
  })

  it("goes on with the one before when the new one is broken, and says why", async () => {
    change("index.ts", "return {}", "return {")
    await said(/words +kept +.*activation failed/)
    equal(await count(), "2 of them")
    change("manifest.ts", "defineManifest({", "defineManifest((")
    await said(/words +kept +.*no manifest that can be read/)
    equal(await count(), "2 of them")
  })

  it("comes up again when it is mended", async () => {
    change("index.ts", "return {", "return {}")
    change("manifest.ts", "defineManifest((", "defineManifest({")
    change("count-words.ts", "of them", "words again")
    await said(/words +up +0\.1\.0 anew/)
    for (const deadline = performance.now() + 20_000; (await count()) !== "2 words again" && performance.now() < deadline; )
      await new Promise((resolve) => setTimeout(resolve, 100))
    equal(await count(), "2 words again")
  })
})
