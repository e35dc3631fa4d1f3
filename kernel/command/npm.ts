import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { PackageError } from "../packages/package-error.ts"

const run = promisify(execFile)
const limits = { ms: 300_000, bytes: 16 << 20 }

/** npm, as the machine has it. Rejects with what npm said. */
export async function runNpm(args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await run(process.platform === "win32" ? "npm.cmd" : "npm", [...args], { cwd, timeout: limits.ms, maxBuffer: limits.bytes })
    return stdout
  } catch (error) {
    const { code, stderr, stdout } = error as { code?: string; stderr?: string; stdout?: string }
    if (code === "ENOENT") throw new PackageError("npm is not on the PATH", "Install Node.js with npm, or add a .tgz, which needs neither npm nor a network.", error)
    throw new PackageError(`npm ${args[0]} failed: ${(stderr || stdout || (error as Error).message).trim().slice(-2_000)}`, "Mend what npm names, then try again.", error)
  }
}
