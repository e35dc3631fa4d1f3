import { createHash } from "node:crypto"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"

export interface FakeRegistry {
  url: string
  /** Names that were asked for. */
  readonly asked: string[]
  close(): Promise<void>
}

/** As much of npm's registry as fetches the packages that it is given: name, version, dependencies and bytes. */
export async function fakeRegistry(packages: readonly { name: string; version: string; dependencies?: Record<string, string>; tarball: Buffer }[]): Promise<FakeRegistry> {
  const asked: string[] = []
  const server: Server = createServer((request, response) => {
    const name = decodeURIComponent((request.url ?? "/").slice(1))
    asked.push(name)
    const found = packages.find((one) => name === one.name || name === `${one.name}.tgz`)
    if (!found) return void response.writeHead(404).end("{}")
    if (name.endsWith(".tgz")) return void response.end(found.tarball)
    const { version, dependencies, tarball } = found
    const dist = { tarball: `${url}/${encodeURIComponent(found.name)}.tgz`, integrity: `sha512-${createHash("sha512").update(tarball).digest("base64")}` }
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify({ name, "dist-tags": { latest: version }, versions: { [version]: { name, version, dependencies, dist } } }))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, asked, close: () => new Promise((resolve) => server.close(() => resolve())) }
}
