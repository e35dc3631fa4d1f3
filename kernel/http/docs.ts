import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import type { BytesAnswer } from "@plugboard/sdk"

// Swagger UI from this machine: the page works offline, and talks to its own origin only. The package brings the files in `docs-assets`; in the repository they lie in node_modules.

const beside = join(import.meta.dirname, "docs-assets")
const types: Record<string, string> = { "swagger-ui.css": "text/css; charset=utf-8", "swagger-ui-bundle.js": "text/javascript; charset=utf-8" }

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Plugboard API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`
const start = `SwaggerUIBundle({ url: "/v1/openapi.json", dom_id: "#docs", deepLinking: true, tryItOutEnabled: true })\n`

export function docsPage(): BytesAnswer {
  return { answer: "bytes", content: Buffer.from(page), contentType: "text/html; charset=utf-8", headers: { "content-security-policy": policy } }
}

/** A file of the page by name; undefined for any other name. */
export function docsAsset(name: string): BytesAnswer | undefined {
  if (name === "start.js") return { answer: "bytes", content: Buffer.from(start), contentType: "text/javascript; charset=utf-8" }
  const contentType = types[name]
  const folder = contentType === undefined ? undefined : assetFolder()
  return folder === undefined ? undefined : { answer: "bytes", content: readFileSync(join(folder, name)), contentType: contentType as string }
}

function assetFolder(): string | undefined {
  if (existsSync(beside)) return beside
  try {
    return dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"))
  } catch {
    return undefined
  }
}
