import { existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import type { Command } from "commander"
import { PackageError } from "../packages/package-error.ts"
import { bundledPlugins } from "../plugins/discover.ts"
import { version } from "../version.ts"
import { bringOwnPackages } from "./own-packages.ts"

/** What a folder to start from can be about: each is a folder of `templates/`, which runs and is tested there as it is, under this name. */
const kinds = ["provider", "tool", "hook"] as const
const placeholder = "scaffold"
const templates = join(import.meta.dirname, "templates")

/** `plugboard plugins create NAME --kind KIND`. */
export function registerCreate(plugins: Command): void {
  plugins
    .command("create <name>")
    .description("Write a folder with a plugin to start from. Its tests pass.")
    .requiredOption("--kind <kind>", `${kinds.join(", ")} or channel`)
    .option("--in <folder>", "where its folder goes; here when left out", ".")
    .action(async (name: string, options: { kind: string; in: string }) => {
      const { folder, files } = await createPlugin(name, options.kind, options.in)
      await bringOwnPackages(folder)
      process.stdout.write([folder, ...files.map((file) => `  ${file}`), "", `  cd ${folder}`, "  npm install", "  npm test", ""].join("\n"))
    })
}

/** The new folder, and its files from there. Overwrites nothing. */
export async function createPlugin(name: string, kind: string, parent: string): Promise<{ folder: string; files: string[] }> {
  await checkName(name)
  const chosen = kindOf(kind)
  const folder = join(parent, name)
  if (existsSync(folder)) throw new PackageError(`there is a folder ${resolve(folder)} already`, "Choose another name, or move the folder away.")
  const files = [...filesOf("every"), ...filesOf(chosen)].map(({ path, text }) => ({ path: namedAs(path, name), text: textFor(path, text, name) }))
  for (const { path, text } of files) {
    mkdirSync(join(folder, dirname(path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return { folder, files: files.map(({ path }) => path).sort() }
}

async function checkName(name: string): Promise<void> {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || name.length > 50)
    throw new PackageError(`"${name}" cannot be a plugin's name`, "Use lower-case letters and digits, in words with dashes between them, 50 characters at most.")
  // Its tables would lie in a schema of this name.
  if (/^(pg-|public$|kernel$|information-schema$|pgboss$)/.test(name)) throw new PackageError(`the name ${name} belongs to the database`, "Choose another name.")
  const bundled = await bundledPlugins()
  if (bundled.some(({ manifest }) => manifest.id === name)) throw new PackageError(`there is a plugin ${name} in every gateway`, "Choose another name.")
}

function kindOf(kind: string): (typeof kinds)[number] {
  const known = kinds.find((one) => one === kind)
  if (known) return known
  if (kind === "channel")
    throw new PackageError(
      "this version has no channels yet, so there is nothing that a channel's plugin could contribute to",
      `Use a later version, or one of ${kinds.join(", ")}.`,
    )
  throw new PackageError(`there is no kind ${kind}`, `Use one of ${kinds.join(", ")}.`)
}

function filesOf(template: string): { path: string; text: string }[] {
  const folder = join(templates, template)
  return globSync("**/*", { cwd: folder })
    .filter((path) => statSync(join(folder, path)).isFile())
    .map((path) => ({ path, text: readFileSync(join(folder, path), "utf8") }))
}

function namedAs(path: string, name: string): string {
  // npm leaves files of that name out of packages.
  return path === "gitignore" ? ".gitignore" : path.replaceAll(placeholder, name)
}

function textFor(path: string, text: string, name: string): string {
  const named = text.replaceAll(placeholder, name)
  if (path !== "package.json") return named
  const contents = JSON.parse(named) as { devDependencies: Record<string, string> }
  return `${JSON.stringify({ ...contents, peerDependencies: { "@plugboard/sdk": `^${version}` }, devDependencies: { ...contents.devDependencies, plugboard: version } }, null, 2)}\n`
}
