import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Grants, type Locale, locales, type Manifest } from "@plugboard/sdk"

type Words = Readonly<Record<string, string>>

/** Sentences of consent, by what they are about. Read when first needed: most gateways start without a package. */
let texts: Readonly<Record<Locale, Words>> | undefined

/** What a manifest asks for, and with that what a consent to it covers. */
export function asked(manifest: Manifest): Grants {
  const { capabilities = {} } = manifest
  return {
    db: capabilities.db ?? false,
    net: sorted(capabilities.net),
    secrets: sorted(capabilities.secrets),
    services: sorted(manifest.requires?.map(({ service }) => service)),
    hooks: sorted(Object.keys(manifest.hooks ?? {})),
    points: sorted(manifest.contributes?.map(({ point }) => point)),
    events: sorted(manifest.listens),
    jobs: Object.keys(manifest.jobs ?? {}).length > 0,
    files: capabilities.files ?? false,
    system: capabilities.system ?? false,
  }
}

/** What `wanted` has beyond `granted`; null when that is nothing. */
export function beyond(granted: Grants, wanted: Grants): Grants | null {
  const more = (name: "secrets" | "services" | "hooks" | "points" | "events") => wanted[name].filter((one) => !granted[name].includes(one))
  const rest: Grants = {
    db: wanted.db && !granted.db,
    net: wanted.net.filter((pattern) => !granted.net.some((wider) => isWithin(pattern, wider))),
    secrets: more("secrets"),
    services: more("services"),
    hooks: more("hooks"),
    points: more("points"),
    events: more("events"),
    jobs: wanted.jobs && !granted.jobs,
    files: wanted.files && !granted.files,
    system: wanted.system && !granted.system,
  }
  return Object.values(rest).some((part) => (Array.isArray(part) ? part.length > 0 : part)) ? rest : null
}

/** Every host that `pattern` lets through, `wider` does too. */
function isWithin(pattern: string, wider: string): boolean {
  const [narrow, wide] = [pattern.toLowerCase(), wider.toLowerCase()]
  if (wide === "*" || wide === narrow) return true
  return narrow !== "*" && wide.startsWith("*.") && narrow.endsWith(wide.slice(1))
}

/** One sentence for each thing that the plugin may do; one that says so when it may do nothing. */
export function wordsOf(grants: Grants, locale: Locale): string[] {
  const words = wordsIn(locale)
  const say = (name: string, list: readonly string[] = []) => (words[name] ?? name).replace("{list}", list.join(", "))
  const said: string[] = []
  if (grants.net.includes("*")) said.push(say("net_any"))
  else if (grants.net.length > 0) said.push(say("net", grants.net))
  if (grants.db) said.push(say("db"))
  if (grants.secrets.length > 0) said.push(say("secrets", grants.secrets))
  if (grants.services.length > 0) said.push(say("services", grants.services))
  for (const hook of grants.hooks) said.push(words[`hook ${hook}`] ?? say("hook", [hook]))
  if (grants.points.length > 0) said.push(say("points", grants.points))
  if (grants.events.length > 0) said.push(say("events", grants.events))
  for (const name of ["jobs", "files", "system"] as const) if (grants[name]) said.push(say(name))
  return said.length > 0 ? said : [say("nothing")]
}

function wordsIn(locale: Locale): Words {
  texts ??= Object.fromEntries(locales.map((one) => [one, JSON.parse(readFileSync(join(import.meta.dirname, "texts", `${one}.json`), "utf8"))])) as Record<Locale, Words>
  return texts[locale]
}

function sorted(list: readonly string[] = []): string[] {
  return [...new Set(list)].sort()
}
