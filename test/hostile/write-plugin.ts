import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Folders of plugins that a test writes, readable for whatever user runs them. */
export class PluginFolders {
  readonly #root = mkdtempSync(join(tmpdir(), "plugboard-hostile-"))

  constructor() {
    chmodSync(this.#root, 0o755)
  }

  /** `manifest`: members besides its id and versions. `activate`: what its activation is, as text; `before`: what stands before it in the module. */
  write(id: string, manifest: object, activate: string, before = ""): string {
    const folder = join(this.#root, id)
    mkdirSync(folder)
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }')
    writeFileSync(
      join(folder, "index.js"),
      `import { definePlugin, ProviderTypes, reply, Tools } from "@plugboard/sdk"
${before}
export default definePlugin(${JSON.stringify({ id, version: "1.0.0", sdk: "^1.0.0", ...manifest })}, ${activate})
`,
    )
    return folder
  }

  /** One with a single route, POST /v1/x/<id>/go, whose handler is `handler`. */
  withRoute(id: string, handler: string, route: object = {}, before = ""): string {
    const go = { method: "POST", path: `/v1/x/${id}/go`, role: "viewer", summary: "Go", reply: {}, ...route }
    return this.write(id, { routes: { go } }, `(host) => ({ routes: { go: ${handler} } })`, before)
  }

  file(id: string, name: string, text: string): void {
    mkdirSync(join(this.#root, id, name, ".."), { recursive: true })
    writeFileSync(join(this.#root, id, name), text)
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true })
  }
}
