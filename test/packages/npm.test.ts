import { deepEqual, equal, match } from "node:assert/strict"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { testGateway } from "@plugboard/sdk/testing"
import { tarballWith } from "../../kernel/packages/scratch.ts"
import { plugboard } from "./command.ts"
import { fakeRegistry } from "./registry.ts"

describe("a plugin that is added by its npm name", function npm() {
  this.timeout(180_000)

  it("comes with its dependencies, and no script of either runs", async () => {
    const scratch = mkdtempSync(join(tmpdir(), "plugboard-npm-"))
    const mark = join(scratch, "script-ran")
    const scripts = { preinstall: `touch ${mark}`, install: `touch ${mark}`, postinstall: `touch ${mark}`, prepare: `touch ${mark}`, build: `touch ${mark}` }
    const json = (value: object) => JSON.stringify({ type: "module", scripts, ...value })
    const registry = await fakeRegistry([
      {
        name: "plugboard-weather",
        version: "1.0.0",
        dependencies: { "warm-words": "^1.0.0" },
        tarball: tarballWith([
          { path: "package/package.json", bytes: json({ name: "plugboard-weather", version: "1.0.0", main: "index.js", dependencies: { "warm-words": "^1.0.0" } }) },
          {
            path: "package/manifest.js",
            bytes: `export const manifest = { id: "weather", version: "1.0.0", sdk: "^1.0.0",
              routes: { now: { method: "GET", path: "/v1/x/weather/now", role: "viewer", summary: "How it is", reply: { type: "object", properties: { now: { type: "string" } } } } } }`,
          },
          {
            path: "package/index.js",
            bytes: `import { warm } from "warm-words"\nimport { manifest } from "./manifest.js"\nexport default { manifest, activate: () => ({ routes: { now: async () => ({ now: warm }) } }) }`,
          },
        ]),
      },
      {
        name: "warm-words",
        version: "1.2.0",
        tarball: tarballWith([
          { path: "package/package.json", bytes: json({ name: "warm-words", version: "1.2.0", exports: "./index.js" }) },
          { path: "package/index.js", bytes: 'export const warm = "sunny"\n' },
        ]),
      },
    ])
    const gateway = await testGateway()
    const env = { PLUGBOARD_PORT: new URL(gateway.url).port, PLUGBOARD_TOKEN: gateway.token, npm_config_registry: registry.url, npm_config_cache: join(scratch, "cache") }
    const { code, out, err } = await plugboard(["plugins", "add", "plugboard-weather", "--grant"], env, scratch)
    equal(code, 0, err)
    match(out, /weather 1\.0\.0 is active/)
    deepEqual((await gateway.as("viewer").get("/v1/x/weather/now")).body, { now: "sunny" })
    deepEqual([existsSync(mark), registry.asked.includes("warm-words")], [false, true])
    const absent = await plugboard(["plugins", "add", "plugboard-absent"], env, scratch)
    equal(absent.code, 1)
    match(absent.err, /npm pack failed/)
    await gateway.close()
    await registry.close()
    rmSync(scratch, { recursive: true, force: true })
  })
})
