import { deepEqual, equal } from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { joinLibraries } from "../.ci/join-libraries.ts"
import { joinedFile, joinedName, libraries } from "../kernel/command/libraries.ts"
import { cacheFolder } from "../kernel/db/embedded/template.ts"

describe("joined libraries", function () {
  this.timeout(60_000)
  mkdirSync(cacheFolder, { recursive: true })
  // Inside node_modules, where the joined files find what was not joined.
  const place = mkdtempSync(join(cacheFolder, "test-"))
  const fileOf = (library: string) => pathToFileURL(join(place, joinedName(), joinedFile(library))).href
  before(() => joinLibraries(place))
  after(() => rmSync(place, { recursive: true, force: true }))

  for (const library of libraries) {
    it(`export what ${library} exports`, async () => {
      deepEqual(Object.keys(await import(fileOf(library))), Object.keys(await import(library)))
    })
  }

  it("are what imports get, and other libraries are where they were", () => {
    const code = `
      import { loadJoined } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, "../kernel/command/libraries.ts")).href)}
      const before = import.meta.resolve("pg")
      loadJoined(${JSON.stringify(place)})
      console.log([import.meta.resolve("typebox"), import.meta.resolve("pg") === before].join())`
    const answer = execFileSync(process.execPath, ["--input-type=module", "-e", code], { cwd: import.meta.dirname, encoding: "utf8" })
    equal(answer.trim(), `${fileOf("typebox")},true`)
  })
})
