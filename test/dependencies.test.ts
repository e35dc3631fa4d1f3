import { deepEqual } from "node:assert/strict"
import { readFileSync } from "node:fs"
import { dependencyList, listPath, locked } from "../.ci/dependency-list.ts"

describe("what is installed", () => {
  it("is what .ci/dependencies.txt lists; look at what is new, then npm run dependencies", () => {
    const reviewed = new Set(readFileSync(listPath, "utf8").split("\n"))
    const now = new Set(dependencyList().split("\n"))
    deepEqual({ unreviewed: [...now.difference(reviewed)], gone: [...reviewed.difference(now)] }, { unreviewed: [], gone: [] })
  })

  it("runs no script of a package while it is installed", () => {
    deepEqual(
      locked().flatMap(([path, entry]) => (entry.hasInstallScript ? [path] : [])),
      [],
    )
  })

  it("is pinned by its content, and by no server's name", () => {
    const foreign = locked().filter(([, entry]) => !entry.link && (entry.resolved !== undefined || entry.integrity === undefined))
    deepEqual(
      foreign.map(([path]) => path),
      [],
    )
  })
})
