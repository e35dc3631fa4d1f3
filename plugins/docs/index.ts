import { Catalog, definePlugin } from "@plugboard/sdk"
import { describedBy } from "./description.ts"
import { manifest } from "./manifest.ts"

// What describes is imported when somebody asks, so that a start does not wait for it.
export default definePlugin(manifest, (host) => {
  const catalog = host.use(Catalog)
  const openApi = describedBy(async (served) => (await import("./openapi.ts")).openApi(served))
  const openRpc = describedBy(async (served) => (await import("./openrpc.ts")).openRpc(served))
  return {
    routes: {
      openapi: async () => openApi(await catalog.served()),
      openrpc: async () => openRpc(await catalog.served()),
      page: async () => (await import("./page.ts")).html,
      start: async () => (await import("./page.ts")).start,
      bundle: async () => (await import("./page.ts")).asset("swagger-ui-bundle.js"),
      style: async () => (await import("./page.ts")).asset("swagger-ui.css"),
    },
  }
})
