import { defineManifest, PageQuery, Plugins, raw } from "@plugboard/sdk"
import { Type } from "typebox"
import { Installed, PluginDetails, PluginId, ScopeChoice } from "./wire.ts"

const route = { role: "admin", tags: ["Plugins"] } as const
const one = { ...route, params: PluginId, reply: PluginDetails } as const
const method = { role: "admin", order: "id" } as const
const withId = <P extends object>(more: P) => Type.Object({ ...PluginId.properties, ...more })
const Purge = { purge: Type.Optional(Type.Boolean({ description: "True: its tables go too, for all tenants and for good." })) }
const AgreedHash = {
  hash: Type.Optional(Type.String({ pattern: "^[0-9a-f]{64}$", description: "SHA-256 of the package that was looked at; refused when another one waits by now." })),
}
const Settings = Type.Record(Type.String(), Type.Unknown(), { description: "All settings. Secrets that come as *** are kept." })
const Removed = Type.Object({ status: Type.Literal("removed") })
const packageTypes = ["application/gzip", "application/x-gzip", "application/x-compressed-tar", "application/octet-stream"]

export const manifest = defineManifest({
  id: "plugins",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Plugins of the gateway: list, add, agree, switch, configure, roll back, remove.",
  essential: true,
  requires: [Plugins],
  routes: {
    list: {
      method: "GET",
      path: "/v1/plugins",
      ...route,
      summary: "List plugins",
      query: PageQuery,
      reply: Type.Object({ plugins: Type.Array(Installed) }),
      alsoAs: "payload",
    },
    add: {
      method: "POST",
      path: "/v1/plugins",
      ...route,
      summary: "Add a packed plugin, or another version of it",
      status: 201,
      body: raw({ maxBytes: 64 << 20, types: packageTypes }),
      reply: PluginDetails,
    },
    inspect: { method: "GET", path: "/v1/plugins/:id", ...one, summary: "Show a plugin, what it may do and its settings" },
    grant: { method: "POST", path: "/v1/plugins/:id/grant", ...one, summary: "Agree to what a plugin asks for", body: Type.Object(AgreedHash) },
    enable: { method: "POST", path: "/v1/plugins/:id/enable", ...one, summary: "Switch a plugin on", body: Type.Object(ScopeChoice) },
    disable: { method: "POST", path: "/v1/plugins/:id/disable", ...one, summary: "Switch a plugin off", body: Type.Object(ScopeChoice) },
    configure: { method: "PUT", path: "/v1/plugins/:id/config", ...one, summary: "Replace a plugin's settings", body: Settings },
    rollback: { method: "POST", path: "/v1/plugins/:id/rollback", ...one, summary: "Go back to the version before" },
    remove: { method: "DELETE", path: "/v1/plugins/:id", ...route, summary: "Remove an added plugin", params: PluginId, query: Type.Object(Purge), reply: Removed },
  },
  rpc: {
    "plugins.list": { role: "admin", summary: "List plugins", result: Type.Object({ plugins: Type.Array(Installed) }) },
    "plugins.inspect": { role: "admin", summary: "Show a plugin, what it may do and its settings", params: PluginId, result: PluginDetails },
    "plugins.add": {
      role: "admin",
      summary: "Add a packed plugin of up to 350 KiB; larger ones go over HTTP",
      params: Type.Object({ tarball: Type.String({ maxLength: 480_000, description: "The package, in base64." }) }),
      result: PluginDetails,
    },
    "plugins.grant": { ...method, summary: "Agree to what a plugin asks for", params: withId(AgreedHash), result: PluginDetails },
    "plugins.enable": { ...method, summary: "Switch a plugin on", params: withId(ScopeChoice), result: PluginDetails },
    "plugins.disable": { ...method, summary: "Switch a plugin off", params: withId(ScopeChoice), result: PluginDetails },
    "plugins.configure": { ...method, summary: "Replace a plugin's settings", params: withId({ config: Settings }), result: PluginDetails },
    "plugins.rollback": { ...method, summary: "Go back to the version before", params: PluginId, result: PluginDetails },
    "plugins.remove": { ...method, summary: "Remove an added plugin", params: withId(Purge), result: Removed },
  },
  events: { "plugins.changed": { payload: Type.Object({ id: Type.String() }), to: "admins" } },
})
