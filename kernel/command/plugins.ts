import type { InstalledPlugin, PluginDetails } from "@plugboard/sdk"
import type { Command } from "commander"
import { registerCreate } from "./create.ts"
import { registerDev } from "./dev.ts"
import { agreed, changed, details, list, removed } from "./plugin-lines.ts"
import type { Door } from "./plugins-door.ts"

interface Output {
  json?: boolean
}

/** `plugboard plugins …`: for people, and with `--json` for programs. Everything heavy is imported by the action that needs it. */
export function registerPlugins(plugins: Command): void {
  const add = (usage: string, description: string) => plugins.command(usage).description(description).option("--json", "print the gateway's answer as JSON")

  add("list", "All plugins, with the reason and the remedy of those that do not run.").action((options: Output) =>
    through(async (door) => show(await door.list(1_000, 0), options, list)),
  )
  add("inspect <id>", "What a plugin contributes, what it may do, and its settings.").action((id: string, options: Output) =>
    through(async (door) => show(await door.inspect(id), options, details)),
  )
  add("add <source>", "Add a plugin, or another version of it: a .tgz, a folder, or the name of an npm package.")
    .option("--grant", "agree at once to what it asks for")
    .action(addPlugin)
  add("grant <id>", "Agree to what a plugin asks for.").action((id: string, options: Output) =>
    through(async (door) => {
      const { waiting } = await door.inspect(id)
      show(await door.grant(id, waiting?.hash), options, (plugin) => agreed(plugin, waiting?.says ?? []))
    }),
  )
  for (const verb of ["enable", "disable"] as const) {
    add(`${verb} <id>`, verb === "enable" ? "Switch a plugin on." : "Switch a plugin off.")
      .option("--tenant <slug>", "for this tenant alone")
      .action((id: string, options: Output & { tenant?: string }) =>
        through(async (door) => show(await door[verb](id, options.tenant === undefined ? "gateway" : "tenant", options.tenant), options, changed)),
      )
  }
  add("rollback <id>", "Go back to the version before.").action((id: string, options: Output) => through(async (door) => show(await door.rollback(id), options, changed)))
  add("remove <id>", "Remove an added plugin. Its tables stay, unless --purge is given.")
    .option("--purge", "drop its tables, too, for all tenants and for good")
    .action((id: string, options: Output & { purge?: boolean }) =>
      through(async (door) => {
        await door.remove(id, { purge: options.purge ?? false })
        show({ status: "removed", id, purged: options.purge ?? false }, options, removed)
      }),
    )
  registerCreate(plugins)
  registerDev(plugins)
  add("pack <folder>", "Make a package of a plugin's folder, which any gateway takes.")
    .option("--out <file>", "where to write it; NAME-VERSION.tgz when left out")
    .action(async (folder: string, options: Output & { out?: string }) => {
      const { packFolder } = await import("./pack/pack.ts")
      const { writePackage } = await import("./pack/write-package.ts")
      show(
        writePackage(await packFolder(folder, { build: true }), options.out),
        options,
        ({ file, bytes, hash }) => `${file}\n  ${bytes} bytes, sha256 ${hash}\n  plugboard plugins add ${file}\n`,
      )
    })
}

async function addPlugin(source: string, options: Output & { grant?: boolean }): Promise<void> {
  const { packageFrom } = await import("./package-source.ts")
  const tarball = await packageFrom(source)
  await through(async (door) => {
    const added = await door.add(tarball)
    const { waiting } = added
    const plugin = options.grant && waiting ? await door.grant(added.id, waiting.hash) : added
    show(plugin, options, (told) => (options.grant && waiting ? agreed(told, waiting.says) : changed(told)))
  })
}

async function through(work: (door: Door) => Promise<void>): Promise<void> {
  const { openDoor } = await import("./plugins-door.ts")
  const door = await openDoor(process.env)
  try {
    await work(door)
  } finally {
    await door.close()
  }
}

function show<T extends InstalledPlugin[] | PluginDetails | object>(answer: T, { json }: Output, lines: (answer: T) => string): void {
  process.stdout.write(json ? `${JSON.stringify(answer, null, 2)}\n` : lines(answer))
}
