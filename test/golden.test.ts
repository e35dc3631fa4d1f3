import { deepEqual, equal, ok } from "node:assert/strict"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { errorKinds, type Manifest } from "@plugboard/sdk"
import { type TestGateway, testGateway } from "@plugboard/sdk/testing"

const folder = join(import.meta.dirname, "golden")
const plugins = readdirSync(join(import.meta.dirname, "..", "plugins"), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))

interface Operation {
  "x-plugboard-plugin"?: string
  responses: Record<string, unknown>
}

/** What each plugin serves, as files: a change of the wire shows as a diff. `UPDATE_GOLDEN=1` writes them anew. */
describe("what each plugin serves", () => {
  let gateway: TestGateway
  let operations: [name: string, operation: Operation][]
  before(async () => {
    gateway = await testGateway()
    const { body } = await gateway.as("viewer").get("/v1/openapi.json")
    const paths = body.paths as Record<string, Record<string, Operation>>
    operations = Object.entries(paths).flatMap(([path, verbs]) =>
      Object.entries(verbs).map(([verb, operation]): [string, Operation] => [`${verb.toUpperCase()} ${path}`, operation]),
    )
  })
  after(() => gateway.close())

  for (const plugin of plugins) {
    it(`${plugin} serves what test/golden/${plugin}.json says`, async () => {
      const { manifest } = (await import(`../plugins/${plugin}/manifest.ts`)) as { manifest: Manifest }
      const routes = operations.filter(([, operation]) => operation["x-plugboard-plugin"] === plugin).map(([name, operation]) => [name, briefly(operation)])
      const served = `${JSON.stringify({ routes: Object.fromEntries(routes), methods: manifest.rpc ?? {}, events: manifest.events ?? {}, errors: manifest.errors ?? {} }, null, 2)}\n`
      const path = join(folder, `${plugin}.json`)
      if (process.env.UPDATE_GOLDEN) {
        mkdirSync(folder, { recursive: true })
        writeFileSync(path, served)
      }
      ok(existsSync(path), `${path} is not there; UPDATE_GOLDEN=1 npx mocha test/golden.test.ts writes it`)
      equal(served, readFileSync(path, "utf8"))
    })

    it(`${plugin} documents the status of each of its errors`, async () => {
      const { manifest } = (await import(`../plugins/${plugin}/manifest.ts`)) as { manifest: Manifest }
      const own = operations.filter(([, operation]) => operation["x-plugboard-plugin"] === plugin)
      const documented = new Set(own.flatMap(([, operation]) => Object.keys(operation.responses)))
      const missing = Object.entries(manifest.errors ?? {}).filter(([, { kind }]) => own.length > 0 && !documented.has(String(errorKinds[kind].status)))
      deepEqual(missing, [])
    })
  }

  it("leaves no file behind for a plugin that is gone", () => {
    deepEqual(
      readdirSync(folder).filter((file) => !plugins.includes(file.replace(/\.json$/, ""))),
      [],
    )
  })
})

/** Failures are the same reply everywhere; their statuses say enough. */
function briefly(operation: Operation): object {
  const { responses, ...rest } = operation
  const statuses = Object.keys(responses)
  const good = statuses.filter((status) => Number(status) < 400)
  return { ...rest, responses: Object.fromEntries(good.map((status) => [status, responses[status]])), failures: statuses.filter((status) => Number(status) >= 400).map(Number) }
}
