import childProcess from "node:child_process"
import cluster from "node:cluster"
import inspector from "node:inspector"
import module, { createRequire } from "node:module"
import os from "node:os"
import { WASI } from "node:wasi"
import { Worker } from "node:worker_threads"
import { type Attack, firstOf } from "../attempt.ts"

const require = createRequire(import.meta.url)
const [loader, addon, internal] = ["data:text/javascript,export {}", "/tmp/mallory.node", "internal/test/binding"]
/** What the types of Node do not tell of. */
const hidden = process as unknown as Record<string, (...args: unknown[]) => unknown>
const call = (name: string, ...args: unknown[]) => (hidden[name] as (...args: unknown[]) => unknown)(...args)

/** Other programs, other processes, and what lies below the language. `given`: the gateway's process id. */
export const processes: Record<string, Attack> = {
  "run a program": () => childProcess.execFileSync("/usr/bin/id", { encoding: "utf8" }),
  "fork itself": () => firstOf(childProcess.fork(import.meta.filename), "spawn"),
  "fork a cluster": () => firstOf(cluster.fork(), "online"),
  "start a thread": () => firstOf(new Worker("1", { eval: true }), "online"),
  "start a thread by a loader": () => module.register(loader),
  "replace itself": () => call("execve", "/usr/bin/id", ["id"], {}),
  "end the gateway": (pid: number) => process.kill(pid, "SIGTERM"),
  "end its parent": () => process.kill(process.ppid, "SIGKILL"),
  "end its group": () => process.kill(0, "SIGKILL"),
  "end everything": () => process.kill(-1, "SIGKILL"),
  "end by the function below": (pid: number) => call("_kill", pid, 9),
  "open the gateway's inspector": (pid: number) => process.kill(pid, "SIGUSR1"),
  "open the gateway's inspector by the function below": (pid: number) => call("_debugProcess", pid),
  "slow the gateway down": (pid: number) => os.setPriority(pid, 19),
  "open its own inspector": () => inspector.open(0, "127.0.0.1"),
  "inspect itself": () => new inspector.Session().connect(),
  "load an addon": () => process.dlopen({ exports: {} } as NodeModule, "/tmp/mallory.node"),
  "require an addon": () => require(addon) as unknown,
  "reach a binding": () => call("binding", "spawn_sync"),
  "reach a linked binding": () => call("_linkedBinding", "fs"),
  "reach an internal module": () => require(internal) as unknown,
  "reach a binding by a handle": () => (call("_getActiveHandles") as unknown[]).length,
  "run WASI": () => typeof new WASI({ version: "preview1", preopens: { "/": "/" } }),
  "call C": () => (require("node:ffi") as { dlopen(path: null, symbols: object): unknown }).dlopen(null, { getpid: { parameters: [], result: "i32" } }),
  "become root": () => call("setuid", 0),
}
