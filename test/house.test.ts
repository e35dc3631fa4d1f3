import { deepEqual, match, ok } from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { kernelLines } from "../.ci/lines-of-code.ts"
import { filesOfManifest, importsOf } from "./manifest-files.ts"

const root = join(import.meta.dirname, "..")
const plugins = readdirSync(join(root, "plugins"), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
const everyFile = globSync(["{kernel,plugin-sdk,plugins,examples,test,.ci}/**/*.ts"], { cwd: root, exclude: ["**/node_modules/**", "**/dist/**"] }).sort()
/** What runs in a gateway: no tests, no test doubles, no examples. */
const served = everyFile.filter((file) => /^(kernel|plugins|plugin-sdk)\//.test(file) && !file.endsWith(".test.ts") && !file.startsWith("plugin-sdk/testing/"))

function textOf(file: string): string {
  return readFileSync(join(root, file), "utf8")
}

/** `file:line` of every line of code that matches; comments do not count. */
function linesThat(pattern: RegExp, files: readonly string[]): string[] {
  return files.flatMap((file) =>
    textOf(file)
      .split("\n")
      .flatMap((line, index) => (pattern.test(line) && !/^\s*(\/\/|\/?\*)/.test(line) ? [`${file}:${index + 1} ${line.trim()}`] : [])),
  )
}

describe("the rooms of the house", () => {
  for (const plugin of plugins) {
    it(`${plugin} has the rooms of every plugin`, () => {
      const rooms = ["manifest.ts", "index.ts", "README.md", `${plugin}.test.ts`]
      if (/\n {2}errors: \{/.test(textOf(`plugins/${plugin}/manifest.ts`))) rooms.push("texts/en.json", "texts/vi.json", "texts/zh.json")
      deepEqual(
        rooms.filter((room) => !existsSync(join(root, "plugins", plugin, room))),
        [],
      )
    })

    it(`${plugin} has a manifest that is cheap to import: the SDK, typebox, files of its own that import no more`, () => {
      const imports = filesOfManifest(plugin).flatMap((file) => importsOf(file).map((from) => `${file}: ${from}`))
      deepEqual(
        imports.filter((line) => !/: (@plugboard\/sdk|typebox|\.\/.+)$/.test(line)),
        [],
      )
      deepEqual(
        filesOfManifest(plugin).filter((file) => file.endsWith("/index.ts")),
        [],
      )
    })
  }

  it("has no drawers", () => {
    const drawer = /^(utils?|helpers?|common|types|constants|misc|shared|lib)(\.test)?\.ts$/
    const inPlugins = /(service|manager)\.ts$/
    deepEqual(
      everyFile.filter((file) => drawer.test(basename(file)) || (file.startsWith("plugins/") && inPlugins.test(file))),
      [],
    )
  })

  // The aim is 6,000 for what serves requests. A client of PostgreSQL's protocol for both databases, and HTTP and sockets that hold on bad days, took more; not much more is left.
  it("keeps the kernel small: 7,000 lines of code that serve, and parts apart", () => {
    const { serving, records, sandbox, packages, command, upkeep } = kernelLines(everyFile, root)
    ok(serving <= 7_000, `${serving} lines`)
    ok(records <= 700 && upkeep <= 1_000, `records ${records}, upkeep ${upkeep} lines`)
    ok(sandbox <= 4_500 && packages + command <= 2_500, `sandbox ${sandbox}, packages ${packages}, command ${command} lines`)
  })

  it("has no file over 300 lines that does not say why in its head", () => {
    const long = everyFile.filter((file) => textOf(file).split("\n").length > 301)
    deepEqual(
      long.filter((file) => !/longer than 300 lines/i.test(textOf(file).split("\n").slice(0, 30).join("\n"))),
      [],
    )
  })

  it("has nothing at the top but what is known there", () => {
    const known = ["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "package-lock.json", "package.json", "tsconfig.json"]
    const folders = ["examples", "kernel", "migrations", "plugin-sdk", "plugins", "test"]
    const top = new Set(
      execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" })
        .trim()
        .split("\n")
        .map((path) => path.split("/")[0] as string),
    )
    deepEqual(
      [...top].filter((name) => !name.startsWith(".") && ![...known, ...folders].includes(name)),
      [],
    )
  })

  it("leaves nothing half done", () => {
    deepEqual(
      everyFile.filter((file) => file !== "test/house.test.ts" && /\b(TODO|FIXME|XXX|HACK)\b/.test(textOf(file))),
      [],
    )
  })
})

describe("what the code may not do", () => {
  it("names no plugin in the kernel", () => {
    // `system` is also the wire contract's name for the gateway itself, as a user; `plugins`, `tenants`, `pairing`, `encryption` and `backup` are words of the house; `usage` is a sort of delta.
    const ids = plugins.filter((id) => !["system", "plugins", "tenants", "pairing", "usage", "encryption", "backup"].includes(id)).join("|")
    const kernel = served.filter((file) => file.startsWith("kernel/"))
    // A method of an extension point may have the name of a plugin, too.
    const lines = linesThat(new RegExp(`["'\`](${ids})["'\`.]|plugins/(${ids})\\b`), kernel)
    deepEqual(
      lines.filter((line) => !/ methods: \["/.test(line)),
      [],
    )
  })

  it("evaluates no text as code, in the gateway's process or in a shell", () => {
    deepEqual(linesThat(/\beval\(|\bFunction\(|from "(node:)?vm"|\bshell: (?!false)|(?<![.\w])exec(Sync)?\(/, served), [])
  })

  it("starts processes in the command and for the sandbox alone", () => {
    deepEqual(
      linesThat(/child_process/, served).filter((line) => !/^kernel\/(launch|command\/npm|sandbox\/(launch|borders|child\/probe))\.ts:/.test(line)),
      [],
    )
  })

  it("has one way out: kernel/egress.ts", () => {
    // The command asks a gateway as any client does; the probe tries, from within a sandbox, what must be refused there.
    const others = /^kernel\/(egress|command\/remote-gateway|sandbox\/child\/probe)\.ts:/
    // `host.http.request(` is that way, and `async fetch(` defines it; `http.request(` is Node's own.
    const calls = /(?<![.\w]|async )fetch\(|\bglobalThis\.fetch\(|(?<![.#\w])https?\.(request|get)\(|new WebSocket\(/
    const imports = /^import (?!type).*(from "undici"|\b(request|get)\b.*from "node:https?"|from "node:(net|tls|dgram|http2)")/
    deepEqual(
      [...linesThat(calls, served), ...linesThat(imports, served)].filter((line) => !others.test(line)),
      [],
    )
  })

  it("writes SQL in the tagged template only", () => {
    // The owner's own texts: migrations, roles, the driver; doctor and the test gateway look from outside.
    const owners = /^kernel\/(db\/|sandbox\/db\/|command\/doctor\.ts|upkeep\/restore\.ts|testing\.ts)/
    const statement =
      /["'`]\s*(SELECT\s|INSERT INTO\s|UPDATE\s+\S+\s+SET\s|DELETE FROM\s|WITH\s+\w+\s+AS\s|(CREATE|ALTER|DROP)\s+(TABLE|ROLE|SCHEMA|INDEX|POLICY)\s|GRANT\s|SET\s+ROLE\s)/g
    const untagged = served
      .filter((file) => !owners.test(file))
      .flatMap((file) => {
        const text = textOf(file)
        return [...text.matchAll(statement)].filter(({ index }) => !/(\bsql(\.\w+)?|\))$/.test(text.slice(0, index)) || text[index] !== "`").map(([found]) => `${file}: ${found}`)
      })
    deepEqual(untagged, [])
  })
})

describe("the dependency rule", () => {
  const folder = mkdtempSync(join(tmpdir(), "plugboard-rule-"))
  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const [file, from, message] of [
    ["plugins/a/index.ts", "../../kernel/gateway.ts", /A plugin may import: @plugboard\/sdk/],
    ["plugins/a/index.ts", "../b/index.ts", /A plugin may import: @plugboard\/sdk/],
    ["plugins/a/room/deep.ts", "../../b/index.ts", /A plugin may import: @plugboard\/sdk/],
    ["plugins/a/index.ts", "plugboard/testing", /A plugin may import: @plugboard\/sdk/],
    ["plugin-sdk/host.ts", "../kernel/log.ts", /The SDK may import: its own files/],
    ["kernel/gateway.ts", "../plugins/a/index.ts", /The kernel may import: its own files/],
    ["kernel/http/create.ts", "../../plugins/a/index.ts", /The kernel may import: its own files/],
  ] as const) {
    it(`refuses ${from} in ${file} and lists what may be imported`, () => {
      for (const config of [".biome.json", ".gitignore"]) copyFileSync(join(root, config), join(folder, config))
      mkdirSync(join(folder, file, ".."), { recursive: true })
      writeFileSync(join(folder, file), `export * from "${from}"\n`)
      match(lint(folder, file), message)
    })
  }

  function lint(cwd: string, file: string): string {
    try {
      return execFileSync(join(root, "node_modules", ".bin", "biome"), ["lint", "--only=style/noRestrictedImports", "--colors=off", file], { cwd, encoding: "utf8", stdio: "pipe" })
    } catch (error) {
      return (error as { stderr: string; stdout: string }).stderr + (error as { stdout: string }).stdout
    }
  }
})
