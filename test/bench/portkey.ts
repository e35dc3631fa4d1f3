import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { request } from "undici"
import type { Running } from "../processes.ts"

/** The newest that was measured. With a later `@hono/node-server` its streams answer 500: the one that it was made with is pinned. */
const packages = { dependencies: { "@portkey-ai/gateway": "1.15.2" }, overrides: { hono: "4.9.7", "@hono/node-server": "1.3.3" } }
const patienceMs = 60_000

/** Portkey's gateway, installed from the registry into a folder of its own, since nothing but this bench needs it. Its calls name the upstream by `headers`. */
export async function startPortkey(upstream: string): Promise<Running & { headers: Record<string, string> }> {
  const folder = await mkdtemp(join(tmpdir(), "plugboard-portkey-"))
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, ...packages }))
  await promisify(execFile)("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], { cwd: folder })
  const port = await freePort()
  const started = performance.now()
  const program = join(folder, "node_modules", "@portkey-ai", "gateway", "build", "start-server.js")
  const child = spawn(process.execPath, [program, `--port=${port}`, "--headless"], {
    cwd: folder,
    stdio: "ignore",
    env: { PATH: process.env.PATH, TRUSTED_CUSTOM_HOSTS: "127.0.0.1", NODE_ENV: "production" },
  })
  const url = `http://127.0.0.1:${port}`
  const stop = async (signal: NodeJS.Signals) => {
    const ended = once(child, "exit")
    if (child.exitCode === null && child.kill(signal)) await ended
    await rm(folder, { recursive: true, force: true })
  }
  while (!(await answers(url))) {
    if (child.exitCode === null && performance.now() - started < patienceMs) continue
    await stop("SIGKILL")
    throw new Error("Portkey's gateway did not start")
  }
  return {
    pid: child.pid as number,
    url,
    startMs: performance.now() - started,
    headers: { "x-portkey-provider": "openai", "x-portkey-custom-host": `${upstream}/v1` },
    stop: () => stop("SIGTERM"),
    kill: () => stop("SIGKILL"),
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const { body } = await request(url)
    await body.dump()
    return true
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 100))
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, "close")
  return port
}
