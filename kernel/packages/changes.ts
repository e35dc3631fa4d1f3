import { type AuditEntry, type Caller, hasRole, type Manifest, type PluginScope } from "@plugboard/sdk"
import type { Database, KernelTx } from "../db/database.ts"
import { fail } from "../failures.ts"
import type { Candidate } from "../plugins/discover.ts"
import type { Configured } from "./configured.ts"
import { asked, beyond } from "./consent.ts"
import type { Contents } from "./contents.ts"
import { type KnownPlugin, knownPlugins } from "./known.ts"
import { PackageError } from "./package-error.ts"
import { demandChangeAll } from "./powers.ts"
import { type Json, sealSettings, withoutFile } from "./settings.ts"
import { misfitOfSettings } from "./settings-check.ts"
import { deletePackages, deletePlugin, insertConsent, insertPackage, lockBundled, lockPlugin, type PluginRow, storePlugin, tenantOf } from "./store.ts"
import { hashOf } from "./unpacked.ts"

export interface ChangeRooms {
  db: Pick<Database, "kernel">
  bundled: readonly Candidate[]
  configured: Configured
}

/** Told to every node with each change. */
export const changedEvent = "kernel.plugins_changed"

/** Changes of what the database wants, each in one transaction with its audit entry and its event. Whether this node has followed is another matter. */
export function createChanges({ db, bundled, configured }: ChangeRooms) {
  const given = (id: string): Manifest | undefined => bundled.find(({ manifest }) => manifest.id === id)?.manifest

  /** Locks the plugin's row, and lets `work` say what it is to be; null: nothing is to change. */
  function change(caller: Caller, id: string, work: (tx: KernelTx, plugin: KnownPlugin, row: PluginRow) => Promise<{ row: PluginRow; audit: Told } | null>): Promise<void> {
    return db.kernel.transaction(async (tx) => {
      const own = given(id)
      const locked = own ? await lockBundled(tx, id, own.version) : await lockPlugin(tx, id)
      const plugin = (await knownPlugins(tx, bundled)).get(id)
      if (!locked || !plugin) throw fail("unknown_plugin", { plugin: id })
      const changed = await work(tx, plugin, own ? asBundled(locked, own.version) : locked)
      if (!changed) return
      await storePlugin(tx, changed.row)
      tell(tx, caller, id, changed.audit)
    })
  }

  function demandPackage(plugin: KnownPlugin): void {
    if (plugin.bundled) throw fail("plugin_bundled", { plugin: plugin.id })
  }

  return {
    /** Answers the plugin's id. */
    async add(caller: Caller, tarball: Uint8Array): Promise<string> {
      demandChangeAll(caller)
      const { readContents } = await import("./contents.ts")
      const contents = await readContents(tarball).catch((error: unknown) => {
        throw error instanceof PackageError ? fail("plugin_package", { reason: error.message, remedy: error.remedy }, { cause: error }) : error
      })
      const { id } = contents.manifest
      if (given(id)) throw fail("plugin_id_taken", { plugin: id })
      await db.kernel.transaction((tx) => store(tx, caller, contents, tarball))
      return id
    },

    async grant(caller: Caller, id: string, hash: string | undefined): Promise<void> {
      demandChangeAll(caller)
      await change(caller, id, async (tx, plugin, row) => {
        demandPackage(plugin)
        const { waits } = plugin
        if (!waits) throw fail("plugin_not_waiting", { plugin: id })
        if (hash !== undefined && hash !== waits.hash) throw fail("plugin_replaced", { plugin: id, hash: waits.hash })
        const grants = asked(waits.contents.manifest)
        await insertConsent(tx, { id, hash: waits.hash, grants, by: caller.userId })
        return { row, audit: { action: "plugin.granted", details: { version: waits.version, hash: waits.hash, grants } } }
      })
    },

    async enable(caller: Caller, id: string, on: boolean, scope: PluginScope, tenant: string | undefined): Promise<void> {
      if (scope === "gateway" || tenant !== undefined) demandChangeAll(caller)
      else if (!hasRole(caller, "admin")) throw fail("forbidden", { role: "admin" })
      await change(caller, id, async (tx, { manifest }, row) => {
        if (!on && manifest.essential) throw fail("plugin_essential", { plugin: id })
        const audit = { action: on ? "plugin.enabled" : "plugin.disabled", details: { scope } }
        if (scope === "tenant") {
          const tenantId = tenant === undefined ? caller.tenantId : await tenantOf(tx, tenant)
          if (tenantId === null) throw fail("unknown_tenant", { tenant })
          const others = row.off_for.filter((other) => other !== tenantId)
          return { row: { ...row, off_for: on ? others : [...others, tenantId] }, audit: { ...audit, details: { scope, tenant: tenantId } } }
        }
        const fixed = configured.fixedEnabled(id)
        if (fixed !== undefined && fixed !== on) throw fail("plugin_locked", { key: `plugins.${id}.enabled`, file: configured.path })
        return { row: { ...row, enabled: on }, audit }
      })
    },

    async configure(caller: Caller, id: string, settings: Json): Promise<void> {
      demandChangeAll(caller)
      await change(caller, id, async (_, { manifest, origin }, row) => {
        const file = configured.fileOf(id)
        const own = withoutFile(settings, file)
        if ("locked" in own) throw fail("plugin_locked", { key: `plugins.${id}.${own.locked}`, file: configured.path })
        const result = sealSettings(own.rest, manifest.config, row.config, (field, clear) => configured.seal(id, field, clear))
        if ("missing" in result) throw fail("plugin_secret_absent", { plugin: id, field: result.missing })
        const next = { ...row, config: result.sealed }
        const reason = misfitOfSettings(manifest, origin, structuredClone(configured.settingsOf(id, next)), `plugins.${id}`)
        if (reason !== null) throw fail("plugin_settings", { plugin: id, reason })
        return { row: next, audit: { action: "plugin.configured", details: { keys: Object.keys(own.rest) } } }
      })
    },

    async rollback(caller: Caller, id: string): Promise<void> {
      demandChangeAll(caller)
      await change(caller, id, async (_, plugin, row) => {
        demandPackage(plugin)
        const { previous, waits, runs } = plugin
        if (!previous || previous.hash === row.package_hash) throw fail("plugin_no_previous", { plugin: id })
        const back = { ...row, version: previous.version, package_hash: previous.hash, previous_hash: waits ? null : (runs?.hash ?? null), proven: false }
        return { row: back, audit: { action: "plugin.rolled_back", details: { from: row.version, to: previous.version } } }
      })
    },

    async remove(caller: Caller, id: string, purge: boolean): Promise<void> {
      demandChangeAll(caller)
      await db.kernel.transaction(async (tx) => {
        if (given(id)) throw fail("plugin_bundled", { plugin: id })
        const row = await lockPlugin(tx, id)
        if (!row) throw fail("unknown_plugin", { plugin: id })
        await deletePlugin(tx, id)
        tell(tx, caller, id, { action: "plugin.removed", details: { version: row.version, purge } })
      })
    },
  }

  async function store(tx: KernelTx, caller: Caller, contents: Contents, tarball: Uint8Array): Promise<void> {
    const { id, version } = contents.manifest
    const hash = hashOf(tarball)
    const row = await lockPlugin(tx, id)
    const { runs } = (await knownPlugins(tx, bundled)).get(id) ?? {}
    await insertPackage(tx, { hash, contents, tarball, by: caller.userId })
    const fresh: PluginRow = { id, version, enabled: true, config: {}, off_for: [], origin: "package", package_hash: hash, previous_hash: null, proven: false }
    const same = row?.package_hash === hash
    const next = row === null || same ? (row ?? fresh) : { ...row, version, package_hash: hash, previous_hash: runs && runs.hash !== hash ? runs.hash : null, proven: false }
    await storePlugin(tx, next)
    // What was agreed to for the version before covers this one: nobody is asked again.
    const covered = runs !== undefined && runs.hash !== hash && beyond(runs.grants, asked(contents.manifest)) === null
    if (covered) await insertConsent(tx, { id, hash, grants: asked(contents.manifest), by: caller.userId })
    await deletePackages(
      tx,
      id,
      [next.package_hash, next.previous_hash].filter((kept) => kept !== null),
    )
    const details = { version, hash, ...(row && !same && { from: row.version }), ...(covered && { consent: `as for ${runs?.version}` }) }
    tell(tx, caller, id, { action: row ? "plugin.upgraded" : "plugin.added", details })
  }
}

type Told = Pick<AuditEntry, "action" | "details">

function tell(tx: KernelTx, caller: Caller, id: string, { action, details }: Told): void {
  tx.audit(caller, { action, entityType: "plugin", entityId: id, details })
  tx.publish(changedEvent, { id })
}

/** The id may have belonged to a package, before a release of the gateway brought a plugin of that id. */
function asBundled(row: PluginRow, version: string): PluginRow {
  return row.origin === "bundled" ? row : { id: row.id, version, enabled: true, config: {}, off_for: [], origin: "bundled", package_hash: null, previous_hash: null, proven: false }
}
