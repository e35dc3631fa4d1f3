import { bytes, Catalog, defineManifest } from "@plugboard/sdk"

export const manifest = defineManifest({
  id: "docs",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Describes what this gateway serves: OpenAPI, OpenRPC, and a page to try it.",
  requires: [Catalog],
  routes: {
    openapi: { method: "GET", path: "/v1/openapi.json", auth: "public", summary: "Routes that are served, as OpenAPI 3.0", tags: ["Docs"], reply: bytes("application/json") },
    openrpc: { method: "GET", path: "/v1/rpc.json", auth: "public", summary: "Methods and events over WebSocket, as OpenRPC", tags: ["Docs"], reply: bytes("application/json") },
    page: { method: "GET", path: ["/docs", "/docs/"], auth: "public", summary: "A page that shows the routes and tries them", tags: ["Docs"], reply: bytes("text/html") },
    start: { method: "GET", path: "/docs/start.js", auth: "public", summary: "Script of the page", tags: ["Docs"], reply: bytes("text/javascript") },
    bundle: { method: "GET", path: "/docs/swagger-ui-bundle.js", auth: "public", summary: "Swagger UI", tags: ["Docs"], reply: bytes("text/javascript") },
    style: { method: "GET", path: "/docs/swagger-ui.css", auth: "public", summary: "Style of Swagger UI", tags: ["Docs"], reply: bytes("text/css") },
  },
})
