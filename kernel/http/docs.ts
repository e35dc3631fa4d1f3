import { hash } from "node:crypto"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import type { BytesAnswer } from "@plugboard/sdk"
import { openApi } from "../openapi.ts"
import type { Json } from "../openapi-schema.ts"
import { openRpc } from "../openrpc.ts"
import type { Registry } from "../registry.ts"

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
const start = `SwaggerUIBundle({ url: "/v1/openapi.json", dom_id: "#docs", deepLinking: true, tryItOutEnabled: true })\n`

const html: BytesAnswer = { answer: "bytes", content: Buffer.from(page), contentType: "text/html; charset=utf-8", headers: { "content-security-policy": policy } }
const script = "text/javascript; charset=utf-8"

export type Page = (registry: Registry, version: string) => BytesAnswer | undefined

/** What the kernel itself serves to anyone, by path: the description of the API, and the page that shows it. */
export const kernelPages = new Map<string, Page>([
  ["/v1/openapi.json", description(openApi)],
  ["/v1/rpc.json", description(openRpc)],
  ["/docs", () => html],
  ["/docs/", () => html],
  ["/docs/start.js", () => ({ answer: "bytes", content: Buffer.from(start), contentType: script })],
  ["/docs/swagger-ui.css", () => asset("swagger-ui.css", "text/css; charset=utf-8")],
  ["/docs/swagger-ui-bundle.js", () => asset("swagger-ui-bundle.js", script)],
])

/** A document about what is served, which any origin may read. Written once per registry. */
function description(describe: (registry: Registry, version: string) => Json): Page {
  const written = new WeakMap<Registry, BytesAnswer>()
  return function describeServed(registry, version) {
    const known = written.get(registry)
    if (known) return known
    const content = Buffer.from(JSON.stringify(describe(registry, version)))
    const answer: BytesAnswer = {
      answer: "bytes",
      content,
      contentType: "application/json; charset=utf-8",
      etag: hash("sha1", content, "hex"),
      headers: { "access-control-allow-origin": "*" },
    }
    written.set(registry, answer)
    return answer
  }
}

/** Undefined in a repository that was installed without its development dependencies. */
function asset(name: string, contentType: string): BytesAnswer | undefined {
  const folder = assetFolder()
  return folder === undefined ? undefined : { answer: "bytes", content: { path: join(folder, name) }, contentType }
}

function assetFolder(): string | undefined {
  const beside = join(import.meta.dirname, "docs-assets")
  if (existsSync(beside)) return beside
  try {
    return dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"))
  } catch {
    return undefined
  }
}
