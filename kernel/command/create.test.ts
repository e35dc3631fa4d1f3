import { deepEqual, doesNotMatch, equal, ok, rejects } from "node:assert/strict"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PackageError } from "../packages/package-error.ts"
import { version } from "../version.ts"
import { createPlugin } from "./create.ts"

// That what is written passes its tests is shown by the templates, whose tests run where they are, and from packed packages by .ci/scaffold.test.ts.
describe("plugboard plugins create", () => {
  let parent: string
  before(() => {
    parent = mkdtempSync(join(tmpdir(), "plugboard-create-"))
  })
  after(() => rmSync(parent, { recursive: true, force: true }))
  const refused = (words: RegExp) => (error: unknown) => error instanceof PackageError && words.test(error.message) && error.remedy !== ""

  for (const kind of ["provider", "tool", "hook"]) {
    it(`writes a ${kind} under its own name`, async () => {
      const { folder, files } = await createPlugin(`my-${kind}`, kind, parent)
      equal(folder, join(parent, `my-${kind}`))
      for (const file of [".gitignore", "README.md", "index.ts", "manifest.ts", `my-${kind}.test.ts`, "package.json", "tsconfig.json"]) ok(files.includes(file), file)
      for (const file of files) doesNotMatch(readFileSync(join(folder, file), "utf8"), /scaffold/i)
      const { name, peerDependencies, devDependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
      deepEqual([name, peerDependencies, devDependencies.plugboard], [`plugboard-my-${kind}`, { "@plugboard/sdk": `^${version}` }, version])
    })
  }

  it("asks for the versions that this repository is tested with", async () => {
    const { folder } = await createPlugin("versions", "tool", parent)
    const own = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8"))
    const { plugboard, ...asked } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).devDependencies
    equal(plugboard, own.version)
    for (const [name, wanted] of Object.entries(asked)) equal(`${name} ${wanted}`, `${name} ${own.devDependencies[name] ?? own.dependencies[name]}`)
  })

  it("overwrites nothing", async () => {
    mkdirSync(join(parent, "taken"))
    writeFileSync(join(parent, "taken", "index.ts"), "mine")
    await rejects(createPlugin("taken", "tool", parent), refused(/already/))
    equal(readFileSync(join(parent, "taken", "index.ts"), "utf8"), "mine")
  })

  it("refuses names that no plugin could have", async () => {
    for (const name of ["", "Tool", "1st", "a_b", "a--b", "a-", "../up", "a/b", "x".repeat(51)])
      await rejects(createPlugin(name, "tool", parent), refused(/cannot be a plugin's name/))
    for (const name of ["pg-tool", "public", "kernel"]) await rejects(createPlugin(name, "tool", parent), refused(/belongs to the database/))
    await rejects(createPlugin("provider-loopback", "tool", parent), refused(/in every gateway/))
  })

  it("says of channels that they are to come, and of anything else that it does not know it", async () => {
    await rejects(createPlugin("mail", "channel", parent), refused(/no channels yet/))
    await rejects(createPlugin("mail", "webhook", parent), refused(/no kind webhook/))
  })
})
