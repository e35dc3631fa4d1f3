import { failureOf } from "@plugboard/sdk"
import { Command } from "commander"
import { registerBackup } from "./command/backup.ts"
import { registerKeys } from "./command/keys.ts"
import { registerPlugins } from "./command/plugins.ts"
import { ConfigError, loadConfig } from "./config.ts"
import { reasonOf } from "./failures.ts"
import { PackageError } from "./packages/package-error.ts"
import { loadTexts } from "./plugins/texts.ts"
import { version } from "./version.ts"

/** The `plugboard` command. Exit codes: 0 done, 1 failed, 2 the configuration must be changed. */
export async function runCommand(argv: readonly string[]): Promise<void> {
  const program = new Command("plugboard").description("A plugin-based AI agent gateway.").version(version)
  program
    .command("start", { isDefault: true })
    .description("Run the gateway until SIGTERM or SIGINT.")
    .option("--strict", "refuse to start when a plugin cannot be activated")
    .action((options: { strict?: boolean }) => start(options.strict ?? false))
  program.command("migrate").description("Bring the database up to date, then stop.").action(migrate)
  program.command("doctor").description("Say what works here and what does not, with what to do about it.").action(doctor)
  registerPlugins(program.command("plugins").description("See and change the plugins of this gateway, running or not."))
  registerKeys(program.command("keys").description("See, rotate and drop the keys that secrets are sealed with."))
  registerBackup(program)
  try {
    await program.parseAsync([...argv])
  } catch (error) {
    process.stderr.write(`${wordsFor(error)}\n`)
    process.exitCode = error instanceof ConfigError ? 2 : 1
  }
}

/** What is expected to go wrong has words and a way out; of anything else the stack says more. */
function wordsFor(error: unknown): string {
  if (error instanceof PackageError) return `${error.message}. ${error.remedy}`
  const known = error instanceof ConfigError || failureOf(error)
  return known ? reasonOf(error, new Map([["kernel", loadTexts(import.meta.dirname)]])) : ((error as Error).stack ?? String(error))
}

async function start(strict: boolean): Promise<void> {
  const config = loadConfig(process.env)
  const { startGateway } = await import("./gateway.ts")
  const gateway = await startGateway({ ...config, strict: strict || config.strict })
  if (process.stdout.isTTY) process.stdout.write(`\nPlugboard ${version} listens on ${gateway.url}\n  docs    ${gateway.url}/docs\n  health  ${gateway.url}/health\n\n`)
  let asked = 0
  const stop = () => {
    asked += 1
    // A second signal is impatience: the first one's work is cut off, which the next start repairs.
    if (asked > 1) process.exit(1)
    gateway.close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on("SIGTERM", stop)
  process.on("SIGINT", stop)
}

async function migrate(): Promise<void> {
  const { startGateway } = await import("./gateway.ts")
  const gateway = await startGateway({ ...loadConfig(process.env), host: "127.0.0.1", port: 0, logLevel: "warn" })
  const failed = gateway.plugins.filter((plugin) => plugin.state === "failed")
  await gateway.close()
  for (const plugin of failed) process.stderr.write(`${plugin.id}: ${plugin.reason}. ${plugin.remedy}\n`)
  process.stdout.write(failed.length === 0 ? "The database is up to date.\n" : "")
  process.exitCode = failed.length === 0 ? 0 : 1
}

async function doctor(): Promise<void> {
  const { examine } = await import("./command/doctor.ts")
  const findings = await examine(process.env)
  for (const { ok, what, remedy } of findings) process.stdout.write(`${ok ? "ok   " : "FAIL "} ${what}${ok || !remedy ? "" : `\n      ${remedy}`}\n`)
  process.exitCode = findings.every((finding) => finding.ok) ? 0 : 1
}
