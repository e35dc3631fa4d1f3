import { type ChildProcess, spawn } from "node:child_process"
import { delimiter } from "node:path"

/** The environment of a user who has not run anything of this repository: the machine's own Node.js, no settings of npm scripts, of this suite or of a gateway. */
export function userEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE|PLUGBOARD_|GOCLAW_|DATABASE_URL|TEST_|MOCHA)/.test(name))
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"))
  return { ...(Object.fromEntries(kept) as Record<string, string>), PATH: path.join(delimiter) }
}

/** Starts a command in a process group of its own and waits until its output says where the gateway listens. */
export function startListening(
  command: string,
  args: readonly string[],
  options: { cwd: string; env: Record<string, string>; withinMs: number },
): Promise<{ url: string; stop(): Promise<void> }> {
  const child = spawn(command, args, { cwd: options.cwd, env: options.env, stdio: ["ignore", "pipe", "pipe"], detached: true })
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  let output = ""
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      end(child)
      reject(new Error(`${command} did not listen within ${options.withinMs} ms:\n${output}`))
    }, options.withinMs)
    child.once("exit", (code) => reject(new Error(`${command} ended with ${code}:\n${output}`)))
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data) => {
        output += String(data)
        const url = /"url":"(http:[^"]+)"[^\n]*"gateway listens"/.exec(output)?.[1]
        if (!url) return
        clearTimeout(timer)
        resolve({
          url,
          stop: () => {
            end(child)
            return ended
          },
        })
      })
    }
  })
}

/** npm does not hand every signal on, so the whole group gets it. */
function end(child: ChildProcess): void {
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGTERM")
}
