import { syncBuiltinESMExports } from "node:module"

/**
 * Taken away before any code of the plugin is loaded. Node's permission model leaves them: tried, a child under it could end its parent, open the parent's inspector by a signal,
 * and reach what lies behind the public API. `exit` stays: it ends nobody but the plugin itself.
 */
const taken = [
  "kill",
  "_kill",
  "_debugProcess",
  "_debugEnd",
  "abort",
  "binding",
  "_linkedBinding",
  "dlopen",
  "execve",
  "report",
  "_getActiveHandles",
  "_getActiveRequests",
] as const

/**
 * Members of Node's modules that go past the permission model. Tried on Node 26: flags of V8 write traces where they are told to, and open what lies behind the language; the priority of any
 * process of the same user can be set; SQLite makes, reads and attaches files anywhere (its module is not there at all where Node has the flag that `launch` gives it). Undefined: all members.
 */
const closed: Readonly<Record<string, readonly string[] | undefined>> = {
  "node:sqlite": undefined,
  "node:ffi": undefined,
  "node:v8": ["setFlagsFromString", "setHeapSnapshotNearHeapLimit", "writeHeapSnapshot", "startCpuProfile"],
  "node:os": ["setPriority"],
  "node:module": ["enableCompileCache", "flushCompileCache", "register"],
}

export interface Pipes {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
}

/** The pipes to the gateway; what the plugin prints goes to its log instead. */
export function harden(): Pipes {
  const { stdin: input, stdout: output } = process
  for (const name of taken) Object.defineProperty(process, name, { value: undefined, writable: false, configurable: false })
  Object.defineProperty(process, "stdout", { value: process.stderr, writable: false, configurable: false })
  for (const [name, members] of Object.entries(closed)) close(name, members)
  syncBuiltinESMExports()
  return { input, output }
}

function close(name: string, members: readonly string[] | undefined): void {
  const module = process.getBuiltinModule(name) as object | undefined
  if (module === undefined) return
  for (const member of members ?? Object.keys(module)) {
    if (!(member in module)) continue
    const refused = function refused(): never {
      throw new Error(`${name} ${member} is closed to plugins; what a plugin may do stands on its host`)
    }
    Object.defineProperty(module, member, { value: refused, enumerable: true, writable: false, configurable: false })
  }
}
