import type { Caller, InstalledPlugin, Manifest, PluginDetails, PluginState } from "@plugboard/sdk"
import type { Configured } from "./configured.ts"
import { asked, beyond, wordsOf } from "./consent.ts"
import type { KnownPlugin } from "./known.ts"
import { mayChangeAll } from "./powers.ts"
import { masked } from "./settings.ts"

/** What a caller sees of a plugin. `state` is this node's; undefined where no gateway runs. */
export function shownPlugin(plugin: KnownPlugin, state: PluginState | undefined, configured: Configured, caller: Caller): InstalledPlugin {
  const { id, origin, row, manifest, runs, waits } = plugin
  const off = configured.offReason(id, row)
  const lines = (of: Pick<PluginState, "reason" | "remedy">) => ({ ...(of.reason !== undefined && { reason: of.reason }), ...(of.remedy !== undefined && { remedy: of.remedy }) })
  const common = {
    id,
    version: state?.version ?? manifest.version,
    summary: manifest.summary ?? "",
    origin,
    enabled: off === undefined,
    enabled_here: off === undefined && !row?.off_for.includes(caller.tenantId),
  }
  if (off !== undefined) {
    const fixed = configured.fixedEnabled(id) === false
    return {
      ...common,
      state: "disabled",
      reason: off,
      remedy: fixed ? `Change it in ${configured.path}, then restart the gateway.` : `Switch it on with: plugboard plugins enable ${id}`,
    }
  }
  if (state) return { ...common, state: state.state, ...lines(state), ...(state.pending && { pending: state.pending }) }
  if (waits && !runs)
    return { ...common, state: "waiting", reason: "nobody has agreed to what it asks for", remedy: `See what it asks for and agree with: plugboard plugins grant ${id}` }
  return { ...common, state: "ready" }
}

export function detailsOf(plugin: KnownPlugin, state: PluginState | undefined, configured: Configured, caller: Caller): PluginDetails {
  const { id, row, manifest, runs, waits, previous } = plugin
  const asks = asked(manifest)
  const wanted = waits ?? runs
  const back = previous && previous.hash !== row?.package_hash ? previous : undefined
  return {
    ...shownPlugin(plugin, state, configured, caller),
    ...(manifest.config && { config_schema: manifest.config }),
    // Settings hold for all tenants: they are shown to those who may change them.
    ...(mayChangeAll(caller) && { config: masked(configured.settingsOf(id, row), manifest.config), locked: configured.lockedOf(id), off_for: row?.off_for ?? [] }),
    asks,
    says: wordsOf(asks, caller.locale),
    ...(waits && { waiting: waitingOf(plugin, waits, caller) }),
    ...(wanted && { package: { hash: wanted.hash, bytes: wanted.bytes, added_by: wanted.created_by, added_at: wanted.created_at } }),
    ...(back && { previous: { hash: back.hash, version: back.version } }),
    contributes: contributionsOf(manifest),
  }
}

function waitingOf({ runs }: KnownPlugin, { hash, version, contents }: NonNullable<KnownPlugin["waits"]>, { locale }: Caller): PluginDetails["waiting"] {
  const asks = asked(contents.manifest)
  const more = runs ? beyond(runs.grants, asks) : asks
  return { hash, version, asks, says: wordsOf(asks, locale), beyond: more ? wordsOf(more, locale) : [] }
}

function contributionsOf(manifest: Manifest): PluginDetails["contributes"] {
  return {
    routes: Object.values(manifest.routes ?? {}).flatMap(({ method, path }) => [path].flat().map((one) => `${method} ${one}`)),
    methods: Object.keys(manifest.rpc ?? {}),
    hooks: Object.keys(manifest.hooks ?? {}),
    events: Object.keys(manifest.events ?? {}),
    jobs: Object.keys(manifest.jobs ?? {}),
  }
}
