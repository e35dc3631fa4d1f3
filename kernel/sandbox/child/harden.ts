/**
 * Taken away before any code of the plugin is loaded. Node's permission model leaves them: tried, a child under it could end its parent, open the parent's inspector by a signal,
 * and reach what lies behind the public API. `exit` stays: it ends nobody but the plugin itself.
 */
const taken = ["kill", "_kill", "_debugProcess", "_debugEnd", "abort", "binding", "_linkedBinding", "dlopen", "execve", "report"] as const

export interface Pipes {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
}

/** The pipes to the gateway; what the plugin prints goes to its log instead. */
export function harden(): Pipes {
  const { stdin: input, stdout: output } = process
  for (const name of taken) Object.defineProperty(process, name, { value: undefined, writable: false, configurable: false })
  Object.defineProperty(process, "stdout", { value: process.stderr, writable: false, configurable: false })
  return { input, output }
}
