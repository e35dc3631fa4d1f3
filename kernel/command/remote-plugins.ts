import type { InstalledPlugin, PluginDetails } from "@plugboard/sdk"
import type { Door } from "./plugins-door.ts"
import type { Ask } from "./remote-gateway.ts"

export function remotePlugins(ask: Ask): Door {
  const plugins = "/v1/plugins"
  const at = (id: string, what = "") => `${plugins}/${encodeURIComponent(id)}${what}`
  const details = (method: string, path: string, body?: object | Uint8Array) => ask<PluginDetails>(method, path, body)
  return {
    list: async (limit, offset) => (await ask<{ plugins: InstalledPlugin[] }>("GET", `${plugins}?limit=${limit}&offset=${offset}`)).plugins,
    inspect: (id) => details("GET", at(id)),
    add: (tarball) => details("POST", plugins, tarball),
    grant: (id, hash) => details("POST", at(id, "/grant"), { hash }),
    enable: (id, scope, tenant) => details("POST", at(id, "/enable"), { scope, tenant }),
    disable: (id, scope, tenant) => details("POST", at(id, "/disable"), { scope, tenant }),
    configure: (id, config) => details("PUT", at(id, "/config"), config),
    rollback: (id) => details("POST", at(id, "/rollback")),
    remove: async (id, { purge }) => void (await ask("DELETE", at(id, `?purge=${purge}`))),
    close: async () => undefined,
  }
}
