import { deepEqual, equal, match, ok, rejects } from "node:assert/strict"
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { readContents } from "../../packages/contents.ts"
import { PackageError } from "../../packages/package-error.ts"
import { inspectTarball } from "../../packages/tarball.ts"
import { packFolder } from "./pack.ts"

const manifest = (more = "") => `import { defineManifest } from "@plugboard/sdk"
import { Type } from "typebox"
${more}
export const manifest = defineManifest({
  id: "notes", version: "1.0.0", sdk: "^1.0.0", capabilities: { net: ["api.example.com"] },
  routes: { list: { method: "GET", path: "/v1/x/notes/items", role: "viewer", summary: "List notes", reply: Type.Object({ notes: Type.Array(Type.String()) }) } },
})
`
const index = `import { definePlugin } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"
import { notes, type Note } from "./lib/notes.ts"
export default definePlugin(manifest, () => ({ routes: { list: async () => ({ notes: notes.map((note: Note) => note.text) }) } }))
`
const plugin = {
  "package.json": JSON.stringify({ name: "@acme/notes", version: "9.9.9", type: "module", license: "MIT", scripts: { test: "mocha" }, devDependencies: { mocha: "1.0.0" } }),
  "manifest.ts": manifest(),
  "index.ts": index,
  "lib/notes.ts": 'export interface Note { text: string }\nexport const notes: Note[] = [{ text: "from ./a.ts" }]\n',
  "notes.test.ts": "throw new Error()\n",
  "texts/en.json": "{}",
  "migrations/notes/0001_notes.sql": "SELECT 1;\n",
  "README.md": "# notes\n",
  ".env": "SECRET=1\n",
  "data/db/file": "x",
  "node_modules/mocha/package.json": JSON.stringify({ name: "mocha", version: "1.0.0" }),
}

describe("packing a plugin", function pack() {
  this.timeout(60_000)
  const scratch = mkdtempSync(join(tmpdir(), "plugboard-packing-"))
  let made = 0
  after(() => rmSync(scratch, { recursive: true, force: true }))

  function folderWith(files: Readonly<Record<string, string>>): string {
    made += 1
    const folder = join(scratch, `author-${made}`)
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    return folder
  }
  const read = async (tarball: Buffer, path: string) => (await inspectTarball(tarball, path, 1 << 20)).text ?? ""
  const pathsOf = async (tarball: Buffer) => [...(await inspectTarball(tarball, "", 0)).paths]

  it("gives JavaScript, texts, migrations and plugboard.json, and leaves tools, tests and secrets out", async () => {
    const { tarball, contents, fileName } = await packFolder(folderWith(plugin))
    deepEqual(await pathsOf(tarball), [
      "README.md",
      "index.js",
      "lib/notes.js",
      "manifest.js",
      "migrations/notes/0001_notes.sql",
      "package.json",
      "plugboard.json",
      "texts/en.json",
    ])
    match(await read(tarball, "index.js"), /from "\.\/manifest\.js"/)
    match(await read(tarball, "lib/notes.js"), /text: "from \.\/a\.ts"/)
    deepEqual(JSON.parse(await read(tarball, "package.json")), {
      license: "MIT",
      name: "@acme/notes",
      version: "1.0.0",
      type: "module",
      plugboard: "./plugboard.json",
      dependencies: {},
      bundleDependencies: [],
    })
    deepEqual([contents.entry, contents.format, contents.manifest.capabilities?.net, fileName], ["index.js", 1, ["api.example.com"], "acme-notes-1.0.0.tgz"])
    deepEqual(await readContents(tarball), JSON.parse(JSON.stringify(contents)))
  })

  it("gives the same bytes for the same files, whenever and wherever they are", async () => {
    const first = folderWith(plugin)
    const second = folderWith(plugin)
    utimesSync(join(second, "index.ts"), 1, 1)
    const hashes = [(await packFolder(first)).hash, (await packFolder(second)).hash]
    equal(hashes[0], hashes[1])
    writeFileSync(join(second, "README.md"), "# other\n")
    ok((await packFolder(second)).hash !== hashes[0])
  })

  it("takes production dependencies along, each in the version that whoever needs it has", async () => {
    const dependency = (version: string, dependencies = {}) => ({ version, type: "module", main: "index.js", dependencies })
    const { tarball } = await packFolder(
      folderWith({
        ...plugin,
        "package.json": JSON.stringify({
          name: "notes",
          type: "module",
          dependencies: { a: "^1.0.0", b: "^2.0.0", "@plugboard/sdk": "^0.1.0", typebox: "^1.0.0" },
          devDependencies: { mocha: "1.0.0" },
        }),
        "node_modules/a/package.json": JSON.stringify({ name: "a", ...dependency("1.0.0", { b: "^1.0.0", "@plugboard/sdk": "*" }) }),
        "node_modules/a/node_modules/b/package.json": JSON.stringify({ name: "b", ...dependency("1.5.0", { c: "1.0.0" }) }),
        "node_modules/b/package.json": JSON.stringify({ name: "b", ...dependency("2.0.0") }),
        "node_modules/c/package.json": JSON.stringify({ name: "c", ...dependency("1.0.0") }),
      }),
    )
    const bundled = (await pathsOf(tarball)).filter((path) => path.startsWith("node_modules/"))
    deepEqual(bundled, ["node_modules/a/node_modules/b/package.json", "node_modules/a/package.json", "node_modules/b/package.json", "node_modules/c/package.json"])
    match(await read(tarball, "node_modules/a/node_modules/b/package.json"), /1\.5\.0/)
    match(await read(tarball, "node_modules/b/package.json"), /2\.0\.0/)
    deepEqual(JSON.parse(await read(tarball, "package.json")).dependencies, { a: "1.0.0", b: "2.0.0" })
  })

  const built = {
    "package.json": JSON.stringify({ name: "notes", type: "module", exports: { ".": { default: "./dist/index.js" } }, scripts: { build: "node build.mjs" }, files: ["dist"] }),
    "build.mjs": 'import { cpSync } from "node:fs"\ncpSync("src", "dist", { recursive: true })\n',
    "src/manifest.js": manifest(),
    "src/index.js": 'import { manifest } from "./manifest.js"\nexport default { manifest, activate: () => ({ routes: { list: async () => ({ notes: [] }) } }) }\n',
    "texts/en.json": "{}",
  }

  it("runs the author's own build when it is told to, and takes what it writes", async () => {
    const { tarball, contents } = await packFolder(folderWith(built), { build: true })
    deepEqual([await pathsOf(tarball), contents.entry], [["dist/index.js", "dist/manifest.js", "package.json", "plugboard.json", "texts/en.json"], "dist/index.js"])
  })

  it("runs no build of somebody else's folder, and names the command that does", async () => {
    const folder = folderWith(built)
    await rejects(packFolder(folder), (error: PackageError) => /plugboard plugins pack FOLDER/.test(error.remedy))
    equal(existsSync(join(folder, "dist")), false)
  })

  const refused: [what: string, files: Record<string, string>, reason: RegExp][] = [
    ["a dependency that is not installed", { "package.json": JSON.stringify({ name: "notes", dependencies: { absent: "1.0.0" } }) }, /its dependency absent is not installed/],
    ["types that cannot be stripped", { "lib/notes.ts": "export enum Note { One }\n" }, /the types of lib\/notes\.ts cannot be stripped/],
    ["a source in both languages", { "lib/notes.js": "export {}\n" }, /lib\/notes\.ts would become lib\/notes\.js, which is there already/],
    ["a package.json that is not JSON", { "package.json": "{" }, /its package\.json is not JSON/],
    ["a manifest that no gateway takes", { "manifest.ts": manifest().replace("/v1/x/notes/items", "/v1/notes") }, /belongs to the gateway/],
    [
      "a manifest that reads other files",
      { "manifest.ts": manifest('import { readFileSync } from "node:fs"\nreadFileSync("/etc/passwd")') },
      /Access to this API has been restricted|ERR_ACCESS_DENIED/,
    ],
    ["a manifest that starts programs", { "manifest.ts": manifest('import { execFileSync } from "node:child_process"\nexecFileSync("id")') }, /has no manifest that can be read/],
    [
      "a manifest that writes files",
      { "manifest.ts": manifest(`import { writeFileSync } from "node:fs"\nwriteFileSync("${scratch}/evil", "")`) },
      /has no manifest that can be read/,
    ],
    ["a manifest that never comes", { "manifest.ts": manifest("for (;;);") }, /has no manifest that can be read/],
  ]
  for (const [what, files, reason] of refused) {
    it(`refuses ${what}, with what to do`, async () => {
      await rejects(packFolder(folderWith({ ...plugin, ...files })), (error: unknown) => {
        ok(error instanceof PackageError && error.remedy !== "", String(error))
        match(error.message, reason)
        return true
      })
      equal(existsSync(join(scratch, "evil")), false)
    })
  }

  it("refuses a link, wherever it leads", async () => {
    const folder = folderWith(plugin)
    symlinkSync("/etc/passwd", join(folder, "lib", "passwd"))
    await rejects(packFolder(folder), /lib\/passwd is no plain file/)
  })

  it("refuses a folder that is not there", () => rejects(packFolder(join(scratch, "absent")), /there is no folder/))
})
