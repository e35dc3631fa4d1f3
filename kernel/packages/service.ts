import type { Caller, PluginDetails, PluginState, PluginsService } from "@plugboard/sdk"
import { fail } from "../failures.ts"
import { type ChangeRooms, createChanges } from "./changes.ts"
import { knownPlugins } from "./known.ts"
import { detailsOf, shownPlugin } from "./shown.ts"

export interface PluginsRooms extends ChangeRooms {
  /** Undefined: no gateway runs here, and what is changed is for those that do, or will. */
  node: { readonly states: readonly PluginState[]; settled(): Promise<void> } | undefined
  /** Drops what a plugin has in the database. */
  purge(id: string): Promise<void>
}

/** How long an answer waits for this node to follow a change, in ms. It goes on following afterwards. */
const followMs = 60_000

/** Resolves when the node is as the database was, or after a while. */
export async function followOn(node: PluginsRooms["node"]): Promise<void> {
  if (!node) return
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, followMs)
  })
  // The change has told this node already, as it tells every other. What was asked for is stored; a node that cannot follow logs it and tries again.
  await Promise.race([node.settled(), late])
  clearTimeout(timer)
}

/** The plugins of this gateway, for those who manage them. Nothing here runs a plugin's code. */
export function createPluginsService(rooms: PluginsRooms): PluginsService {
  const { db, bundled, configured, node } = rooms
  const changes = createChanges(rooms)
  const stateOf = (id: string) => node?.states.find((state) => state.id === id)

  async function details(caller: Caller, id: string): Promise<PluginDetails> {
    const plugin = (await knownPlugins(db.kernel, bundled)).get(id)
    if (!plugin) throw fail("unknown_plugin", { plugin: id })
    return detailsOf(plugin, stateOf(id), configured, caller)
  }

  async function followed(caller: Caller, id: string): Promise<PluginDetails> {
    await followOn(node)
    return details(caller, id)
  }

  return {
    async list(caller, limit, offset) {
      const all = [...(await knownPlugins(db.kernel, bundled)).values()]
      return all.slice(offset, offset + limit).map((plugin) => shownPlugin(plugin, stateOf(plugin.id), configured, caller))
    },
    inspect: details,
    async add(caller, tarball) {
      return followed(caller, await changes.add(caller, tarball))
    },
    async grant(caller, id, hash) {
      await changes.grant(caller, id, hash)
      return followed(caller, id)
    },
    async enable(caller, id, scope, tenant) {
      await changes.enable(caller, id, true, scope, tenant)
      return followed(caller, id)
    },
    async disable(caller, id, scope, tenant) {
      await changes.enable(caller, id, false, scope, tenant)
      return followed(caller, id)
    },
    async configure(caller, id, config) {
      await changes.configure(caller, id, config)
      return followed(caller, id)
    },
    async rollback(caller, id) {
      await changes.rollback(caller, id)
      return followed(caller, id)
    },
    async remove(caller, id, { purge }) {
      await changes.remove(caller, id, purge)
      await followOn(node)
      if (purge) await rooms.purge(id)
    },
  }
}
