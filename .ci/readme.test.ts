import { doesNotMatch, equal } from "node:assert/strict"
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { startListening, userEnvironment } from "./machine.ts"

const run = promisify(execFile)
const root = join(import.meta.dirname, "..")

interface Snippet {
  language: string
  code: string
  line: number
  shows: string | undefined
}

/** Fenced blocks in order. `<!-- file: path -->` before one says that it shows that file; `<!-- not run: reason -->` leaves it out. */
function snippetsOf(file: string): Snippet[] {
  const text = readFileSync(join(root, file), "utf8")
  return [...text.matchAll(/(?:<!-- (file|not run): ([^>]*?) -->\n+)?^```(bash|js|ts)\n([\s\S]*?)^```$/gm)].flatMap((found) => {
    const [, mark, rest, language = "", code = ""] = found
    return mark === "not run" ? [] : [{ language, code, line: text.slice(0, found.index).split("\n").length, shows: mark === "file" ? rest : undefined }]
  })
}

/** The README from top to bottom, as a reader would follow it in one folder. Needs its port, 18790, to be free. */
describe("the snippets of the READMEs", function () {
  this.timeout(300_000)
  const dataDir = mkdtempSync(join(tmpdir(), "plugboard-readme-"))
  const env: Record<string, string> = { ...userEnvironment(), PLUGBOARD_DATA_DIR: dataDir }
  const running: { stop(): Promise<void> }[] = []
  after(async () => {
    for (const gateway of running) await gateway.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })

  for (const file of ["README.md", "examples/openai-client/README.md", "examples/ws-client/README.md", "plugin-sdk/README.md"]) {
    for (const { language, code, line, shows } of snippetsOf(file)) {
      it(`${file}:${line} ${shows ? `shows ${shows}` : "runs as it is written"}`, async () => {
        if (shows) return equal(code, readFileSync(join(root, shows), "utf8"))
        if (language !== "bash")
          return follow(
            "node",
            [`--input-type=module${language === "ts" ? "-typescript" : ""}`, "--conditions=plugboard-source", "--import=./test/setup/resolve-plugboard.ts", "-e", code],
            true,
          )
        const lines = code.trim().split("\n")
        const starts = lines.at(-1) === "npm start"
        const rest = starts ? lines.slice(0, -1).join("\n") : code
        if (rest) await follow("bash", ["-euo", "pipefail", "-c", rest], false)
        if (!starts) return
        const gateway = await startListening("npm", ["start"], { cwd: root, env, withinMs: 60_000 })
        running.push(gateway)
        equal(gateway.url, "http://127.0.0.1:18790")
      })
    }
  }

  /** A reader's shell has the machine's own Node.js; a snippet in a program runs on the one that came with the repository. */
  async function follow(command: string, args: string[], pinned: boolean): Promise<void> {
    const PATH = pinned ? `${join(root, "node_modules", ".bin")}:${env.PATH}` : (env.PATH as string)
    const { stdout, stderr } = await run(command, args, { cwd: root, env: { ...env, PATH }, timeout: 240_000 })
    doesNotMatch(`${stdout}${stderr}`, /"error"|Error:/)
  }
})
