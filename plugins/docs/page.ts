import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { type BytesAnswer, reply } from "@plugboard/sdk"

// Swagger UI from this machine: the page works offline, and talks to its own origin only. The package brings the files in `docs-assets`; in the repository they lie in node_modules.

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Plugboard API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<p style="margin: 1em; font-family: sans-serif">Methods and events over WebSocket: <a href="/v1/rpc.json">/v1/rpc.json</a> (OpenRPC). Routes: <a href="/v1/openapi.json">/v1/openapi.json</a> (OpenAPI).</p>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`
const starting = `SwaggerUIBundle({ url: "/v1/openapi.json", dom_id: "#docs", deepLinking: true, tryItOutEnabled: true })\n`

const script = "text/javascript; charset=utf-8"

export const html = reply.bytes(Buffer.from(page), { contentType: "text/html; charset=utf-8", headers: { "content-security-policy": policy } })
export const start = reply.bytes(Buffer.from(starting), { contentType: script })

/** Not found in a repository that was installed without its development dependencies. */
export function asset(name: "swagger-ui.css" | "swagger-ui-bundle.js"): BytesAnswer {
  return reply.bytes({ path: join(assetFolder(), name) }, { contentType: name.endsWith(".css") ? "text/css; charset=utf-8" : script })
}

function assetFolder(): string {
  const beside = join(import.meta.dirname, "docs-assets")
  if (existsSync(beside)) return beside
  try {
    return dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"))
  } catch {
    return beside
  }
}
