import { gzipSync } from "node:zlib"
import type { Manifest } from "@plugboard/sdk"
import { Type } from "typebox"

export interface Entry {
  path: string
  bytes?: Buffer | string
  /** As the header has it: `0` a file, `1` a link, `2` a symbolic link, `3` a device, `5` a folder. */
  type?: string
  link?: string
}

/** A gzipped tarball with these entries and no other, whatever they are. */
export function tarballWith(entries: readonly Entry[], behind = Buffer.alloc(1_024)): Buffer {
  const blocks = entries.flatMap(({ path, bytes = "", type = "0", link = "" }) => {
    const content = Buffer.from(bytes)
    return [headerOf(path, content.length, type, link), content, Buffer.alloc((512 - (content.length % 512)) % 512)]
  })
  return gzipSync(Buffer.concat([...blocks, behind]))
}

function headerOf(path: string, size: number, type: string, link: string): Buffer {
  const header = Buffer.alloc(512)
  header.write(path, 0, 100)
  header.write("0000644\0", 100)
  header.write(`${size.toString(8).padStart(11, "0")}\0`, 124)
  header.write("00000000000\0", 136)
  header.write(type, 156)
  header.write(link, 157, 100)
  header.write("ustar\x0000", 257)
  header.write("        ", 148)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148)
  return header
}

export interface MadePlugin {
  manifest?: Partial<Manifest>
  /** What its activation does before it answers its handlers; `host` is there. */
  code?: string
  files?: readonly Entry[]
}

/** A package with one route, `GET /v1/x/<id>/version`, which answers its version and settings. */
export function packageOf(id: string, version: string, { manifest = {}, code = "", files = [] }: MadePlugin = {}): Buffer {
  const whole = {
    id,
    version,
    sdk: "^1.0.0",
    routes: { version: { method: "GET", path: `/v1/x/${id}/version`, role: "viewer", summary: "Which version this is", reply: Type.Object({ version: Type.String() }) } },
    ...manifest,
  }
  const routes = Object.keys(whole.routes).map((name) => `${JSON.stringify(name)}: async () => ({ version: ${JSON.stringify(version)}, config: host.config })`)
  const index = `export default { manifest: ${JSON.stringify(whole)}, activate: (host) => { ${code}; return { routes: { ${routes} } } } }\n`
  return tarballWith([
    { path: "package/package.json", bytes: JSON.stringify({ name: `plugboard-plugin-${id}`, version, type: "module", plugboard: "./plugboard.json" }) },
    { path: "package/plugboard.json", bytes: JSON.stringify({ format: 1, sdk: "1.0.0", entry: "index.js", manifest: whole }) },
    { path: "package/index.js", bytes: index },
    ...files,
  ])
}
