import { deepEqual, equal, ok } from "node:assert/strict"
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Manifest } from "@plugboard/sdk"

const folders = readdirSync(import.meta.dirname, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() && existsSync(join(import.meta.dirname, entry.name, "package.json")) ? [entry.name] : [],
)

/** What an author may copy from them, whatever the plugin is about. */
describe("the example plugins", () => {
  for (const folder of folders) {
    const read = (file: string) => readFileSync(join(import.meta.dirname, folder, file), "utf8")

    it(`${folder} is a package with a manifest, a README and a test`, () => {
      for (const file of ["manifest.ts", "index.ts", "README.md", `${folder}.test.ts`]) ok(read(file))
      const { name, type, peerDependencies } = JSON.parse(read("package.json"))
      deepEqual([name, type, Object.keys(peerDependencies)], [`plugboard-${folder}`, "module", ["@plugboard/sdk"]])
    })

    it(`${folder} imports the SDK, typebox and its own files, and nothing else outside its tests`, () => {
      const files = globSync("**/*.ts", { cwd: join(import.meta.dirname, folder) }).filter((file) => !file.endsWith(".test.ts") && !file.startsWith("test/"))
      const foreign = files
        .flatMap((file) => [...read(file).matchAll(/\bfrom "([^"]+)"/g)].map(([, from]) => from as string))
        .filter((from) => !/^(@plugboard\/sdk|typebox|\.\/[^.]+\.ts)$/.test(from))
      deepEqual(foreign, [])
    })

    it(`${folder} keeps to its own names`, async () => {
      const { manifest } = (await import(`./${folder}/manifest.ts`)) as { manifest: Manifest }
      equal(manifest.id, folder)
      const names = [...Object.keys(manifest.rpc ?? {}), ...Object.keys(manifest.events ?? {})]
      deepEqual(
        names.filter((name) => !name.startsWith(`${folder}.`)),
        [],
      )
      const paths = Object.values(manifest.routes ?? {}).flatMap(({ path }) => [path].flat())
      deepEqual(
        paths.filter((path) => !path.startsWith(`/v1/x/${folder}/`)),
        [],
      )
    })
  }
})
