import { type Caller, definePlugin, Plugins, pageOf } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"

/** Rows of one list, on HTTP and on the socket alike. Source: wire contract, http-core 1.5. */
const most = 1_000

export default definePlugin(manifest, (host) => {
  const plugins = host.use(Plugins)
  /** Tells those who look at a list of plugins, once the change is in force here. */
  async function changed<T>(caller: Caller, id: string, change: Promise<T>): Promise<T> {
    const answer = await change
    host.events.publish(caller, "plugins.changed", { id })
    return answer
  }
  async function add(caller: Caller, tarball: Uint8Array) {
    const added = await plugins.add(caller, tarball)
    return changed(caller, added.id, Promise.resolve(added))
  }
  async function remove(caller: Caller, id: string, purge = false) {
    await changed(caller, id, plugins.remove(caller, id, { purge }))
    return { status: "removed" } as const
  }
  return {
    routes: {
      list: async ({ query, caller }) => {
        const { limit, offset } = pageOf(query, most)
        return { plugins: await plugins.list(caller, limit, offset) }
      },
      add: ({ body, caller }) => add(caller, body),
      inspect: ({ params, caller }) => plugins.inspect(caller, params.id),
      grant: ({ params, body, caller }) => changed(caller, params.id, plugins.grant(caller, params.id, body.hash)),
      enable: ({ params, body, caller }) => changed(caller, params.id, plugins.enable(caller, params.id, body.scope ?? "gateway", body.tenant)),
      disable: ({ params, body, caller }) => changed(caller, params.id, plugins.disable(caller, params.id, body.scope ?? "gateway", body.tenant)),
      configure: ({ params, body, caller }) => changed(caller, params.id, plugins.configure(caller, params.id, body)),
      rollback: ({ params, caller }) => changed(caller, params.id, plugins.rollback(caller, params.id)),
      remove: ({ params, query, caller }) => remove(caller, params.id, query.purge),
    },
    rpc: {
      "plugins.list": async (_, { caller }) => ({ plugins: await plugins.list(caller, most, 0) }),
      "plugins.inspect": ({ id }, { caller }) => plugins.inspect(caller, id),
      "plugins.add": ({ tarball }, { caller }) => add(caller, Buffer.from(tarball, "base64")),
      "plugins.grant": ({ id, hash }, { caller }) => changed(caller, id, plugins.grant(caller, id, hash)),
      "plugins.enable": ({ id, scope, tenant }, { caller }) => changed(caller, id, plugins.enable(caller, id, scope ?? "gateway", tenant)),
      "plugins.disable": ({ id, scope, tenant }, { caller }) => changed(caller, id, plugins.disable(caller, id, scope ?? "gateway", tenant)),
      "plugins.configure": ({ id, config }, { caller }) => changed(caller, id, plugins.configure(caller, id, config)),
      "plugins.rollback": ({ id }, { caller }) => changed(caller, id, plugins.rollback(caller, id)),
      "plugins.remove": ({ id, purge }, { caller }) => remove(caller, id, purge),
    },
  }
})
