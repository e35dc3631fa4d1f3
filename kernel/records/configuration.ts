import { hash as digest } from "node:crypto"
import { isDeepStrictEqual } from "node:util"
import { type Caller, type ConfigurationDocument, type ConfigurationService, jsonText, type Queries, row, runsGateway, sql } from "@plugboard/sdk"
import { closest } from "fastest-levenshtein"
import { Type } from "typebox"
import { ConfigFile, checkConfig, type GatewayConfig, type Settings, wholeSettings } from "../config.ts"
import type { Database, KernelTx } from "../db/database.ts"
import { fail } from "../failures.ts"
import { createChanges } from "../packages/changes.ts"
import type { Configured } from "../packages/configured.ts"
import { type KnownPlugin, knownPlugins } from "../packages/known.ts"
import { isObject, type Json, masked, mergeSettings, withoutFile } from "../packages/settings.ts"
import type { Candidate } from "../plugins/discover.ts"
import { type LiveSettings, settingsEvent, storedSettings } from "../upkeep/live-settings.ts"
import { canonical, differences, nodePart, ofNode, patched, pick, settingNames, unlikeDefaults } from "./document.ts"

export interface ConfigurationRooms {
  db: Pick<Database, "kernel">
  config: GatewayConfig
  settings: LiveSettings
  configured: Configured
  bundled: readonly Candidate[]
  /** Resolves when the plugins of this node are as the database wants them, or after a while. */
  followPlugins(): Promise<void>
}

/** The document and all that it was made of. */
interface Present extends ConfigurationDocument {
  stored: Settings
  known: ReadonlyMap<string, KnownPlugin>
}
type Change = "config.applied" | "config.patched"

const Nothing = row(Type.Object({}))
/** Entries of one change in the audit log. */
const mostTold = 100

/** What can be configured, in one document: settings of the gateway and of its plugins, over what this node's file and environment say. */
export function createConfigurationService(rooms: ConfigurationRooms): ConfigurationService {
  const { db, config, configured, settings } = rooms
  const changes = createChanges(rooms)

  async function present(queries: Queries): Promise<Present> {
    const stored = await storedSettings(queries)
    const known = await knownPlugins(queries, rooms.bundled)
    const plugins = [...known.values()].flatMap((plugin) => {
      const section = sectionOf(plugin)
      return Object.keys(section).length > 0 ? [[plugin.id, section]] : []
    })
    // Without what each node has for itself: the hash that was read at one node is that of the others.
    const shared = { ...wholeSettings(mergeSettings(stored, config.named)), plugins: Object.fromEntries(plugins) }
    const sealed = [...known.values()].map(({ row: own }) => own?.config)
    return { config: { ...nodePart(config), ...shared }, hash: digest("sha256", canonical([shared, sealed]), "hex"), path: configured.path, stored, known }
  }

  function sectionOf({ id, row: own, manifest }: KnownPlugin): Json {
    const enabled = configured.isEnabled(id, own)
    return { ...((!enabled || configured.fixedEnabled(id) !== undefined) && { enabled }), ...masked(configured.settingsOf(id, own), manifest.config) }
  }

  async function change(caller: Caller, action: Change, baseHash: string | undefined, next: (now: Json) => unknown): Promise<ConfigurationDocument> {
    demand(caller)
    await db.kernel.transaction(async (tx) => {
      // One change after the other, also with those of a plugin's own settings.
      await tx.query(sql.type(Nothing)`LOCK TABLE kernel.plugins, kernel.settings IN SHARE ROW EXCLUSIVE MODE`)
      const now = await present(tx)
      if (baseHash !== undefined && baseHash !== now.hash) throw fail("config_changed", { hash: now.hash })
      await write(tx, caller, now, checked(next(now.config)))
      const { config: after, hash } = await present(tx)
      if (hash === now.hash) return
      tx.audit(caller, { action, entityType: "config", entityId: "gateway", details: { changes: Object.fromEntries(differences(now.config, after).slice(0, mostTold)) } })
      tx.publish(settingsEvent, {})
    })
    await Promise.all([settings.follow(), rooms.followPlugins()])
    return shown(await present(db.kernel))
  }

  async function write(tx: KernelTx, caller: Caller, now: Present, document: Json): Promise<void> {
    const node = withoutFile(pick(document, ofNode), nodePart(config))
    // A member that this node does not have, such as an address of a database, is as good as another value.
    const foreign = "locked" in node ? node.locked : differences({}, node.rest)[0]?.[0]
    if (foreign !== undefined) throw fail("config_of_node", { key: foreign, file: configured.path })
    const given = withoutFile(pick(document, settingNames), config.named as Json)
    if ("locked" in given)
      throw fail("plugin_locked", { key: given.locked, file: given.locked === "log.level" && config.env.PLUGBOARD_LOG_LEVEL ? "PLUGBOARD_LOG_LEVEL" : configured.path })
    const own = unlikeDefaults(given.rest)
    if (!isDeepStrictEqual(own, now.stored)) {
      await tx.query(sql.type(Nothing)`
        INSERT INTO kernel.settings (document, updated_by) VALUES (${jsonText(own)}::jsonb, ${caller.userId})
        ON CONFLICT (one) DO UPDATE SET document = excluded.document, updated_by = excluded.updated_by, updated_at = now()`)
    }
    await writePlugins(caller, now, (document.plugins ?? {}) as Readonly<Record<string, Json>>)
  }

  async function writePlugins(caller: Caller, { known }: Present, sections: Readonly<Record<string, Json>>): Promise<void> {
    const stranger = Object.keys(sections).find((id) => !known.has(id))
    if (stranger !== undefined) throw fail("config_misfit", { reason: `plugins.${stranger} is unknown; did you mean ${closest(stranger, [...known.keys()])}` })
    for (const plugin of known.values()) {
      const { id, row: own, manifest } = plugin
      const { enabled = configured.fixedEnabled(id) ?? true, ...wanted } = sections[id] ?? {}
      const file = configured.fileOf(id)
      const [before, after] = [withoutFile(masked(configured.settingsOf(id, own), manifest.config), file), withoutFile(wanted, file)]
      if (!isDeepStrictEqual(before, after)) await changes.configure(caller, id, wanted)
      if (enabled !== configured.isEnabled(id, own)) await changes.enable(caller, id, enabled === true, "gateway", undefined)
    }
  }

  return {
    async read(caller) {
      demand(caller)
      return shown(await present(db.kernel))
    },
    replace: (caller, document, baseHash) => change(caller, "config.applied", baseHash, () => document),
    merge: (caller, fragment, baseHash) => change(caller, "config.patched", baseHash, (now) => patched(now, fragment)),
    async schema(caller) {
      demand(caller)
      const plugins = [...(await knownPlugins(db.kernel, rooms.bundled)).values()].map(({ id, manifest }) => {
        const { properties = {} } = (manifest.config ?? {}) as { properties?: object }
        return [id, { type: "object", description: manifest.summary, properties: { enabled: { type: "boolean", default: true }, ...properties }, additionalProperties: false }]
      })
      return { ...ConfigFile, properties: { ...ConfigFile.properties, plugins: { type: "object", properties: Object.fromEntries(plugins), additionalProperties: false } } }
    },
  }
}

function demand(caller: Caller): void {
  if (!runsGateway(caller)) throw fail("gateway_only")
}

function shown({ config, hash, path }: Present): ConfigurationDocument {
  return { config, hash, path }
}

function checked(document: unknown): Json {
  const misfit = isObject(document) ? checkConfig(ConfigFile, structuredClone(document), "") : "it is no object"
  if (misfit !== null) throw fail("config_misfit", { reason: misfit.replace(/^: |[.?]$/g, "") })
  return document as Json
}
