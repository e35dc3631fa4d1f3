import { execFile } from "node:child_process"
import { type AddressInfo, createServer } from "node:net"

export interface Ran {
  code: number
  out: string
  err: string
}

const main = new URL("../../kernel/main.ts", import.meta.url).pathname

/** `plugboard …` as a shell would run it. */
export function plugboard(args: readonly string[], env: Readonly<Record<string, string | undefined>>, cwd?: string): Promise<Ran> {
  const options = { cwd, env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env }, maxBuffer: 16 << 20 }
  return new Promise((resolve) => {
    execFile(process.execPath, ["--disable-sigusr1", "--conditions=plugboard-source", main, ...args], options, (error, out, err) =>
      resolve({ code: error ? Number((error as { code?: unknown }).code ?? 1) : 0, out, err }),
    )
  })
}

/** Where nobody listens. */
export async function freePort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return String(port)
}
