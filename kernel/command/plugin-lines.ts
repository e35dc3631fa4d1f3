import type { InstalledPlugin, PluginDetails } from "@plugboard/sdk"

/** Plugins as lines for people. */
export function list(plugins: readonly InstalledPlugin[]): string {
  const rows = [["PLUGIN", "VERSION", "STATE", "FROM"], ...plugins.map((plugin) => [plugin.id, plugin.version, plugin.state, fromOf(plugin)])]
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => (row[column] as string).length)))
  const [head, ...lines] = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  )
  return [head, ...lines.flatMap((line, index) => [line, ...notesOf(plugins[index] as InstalledPlugin).map((note) => `  ${note}`)])].map((line) => `${line}\n`).join("")
}

export function details(plugin: PluginDetails): string {
  const { id, version, summary, contributes, says, waiting, previous, config, locked = [] } = plugin
  const block = (title: string, lines: readonly string[]) => (lines.length > 0 ? [`${title}:`, ...lines.map((line) => `  ${line}`)] : [])
  return lines([
    `${id} ${version}, ${plugin.state}, from ${fromOf(plugin)}`,
    ...(summary ? [summary] : []),
    ...notesOf(plugin),
    ...block("It may", says),
    ...(waiting ? block(`${waiting.version} asks besides`, waiting.beyond) : []),
    ...block("Routes", contributes.routes),
    ...block("Methods", contributes.methods),
    ...block("Hooks", contributes.hooks),
    ...block("Jobs", contributes.jobs),
    ...block(
      "Settings",
      Object.entries(config ?? {}).map(([key, value]) => `${key}: ${JSON.stringify(value)}`),
    ),
    ...block("Set in the configuration file", locked),
    ...(previous ? [`The version before was ${previous.version}: plugboard plugins rollback ${id}`] : []),
  ])
}

/** A plugin after a change, and what is to be done next. */
export function changed(plugin: PluginDetails): string {
  const { id, version, state, waiting } = plugin
  const asks = waiting ? [`${waiting.version} asks for this:`, ...waiting.says.map((line) => `  ${line}`)] : []
  return lines([`${id} ${version} is ${state}`, ...asks, ...notesOf(plugin)])
}

export function agreed(plugin: PluginDetails, says: readonly string[]): string {
  return lines(["Agreed to this:", ...says.map((line) => `  ${line}`), ...changed(plugin).trimEnd().split("\n")])
}

export function removed({ id, purged }: { id: string; purged: boolean }): string {
  return `${id} is removed${purged ? ", and its tables with it" : "; its tables, if it had any, are still there"}\n`
}

function notesOf({ reason, remedy, pending }: InstalledPlugin): string[] {
  const told = (why: string | undefined, what: string | undefined) => [...(why ? [`${why}.`] : []), ...(what ? [what] : [])]
  if (pending) return [`${pending.version} does not run: ${pending.reason}.`, pending.remedy]
  return told(reason, remedy)
}

function fromOf({ origin }: InstalledPlugin): string {
  return origin === "bundled" ? "the gateway" : "a package"
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("")
}
