import { AgentSections, definePlugin, reply } from "@plugboard/sdk"
import { createExporting, hashOf } from "./exporting.ts"
import { createImporting } from "./importing.ts"
import { manifest } from "./manifest.ts"
import { readIncoming } from "./reading.ts"
import { countsIn, countsOf } from "./sections.ts"
import { findArchive, pruneArchives } from "./store.ts"

export default definePlugin(manifest, (host) => {
  const sections = host.open(AgentSections)
  const exporting = createExporting(host, sections)
  const importing = createImporting(host, sections)
  const gzip = (content: Uint8Array, filename: string) => reply.bytes(content, { contentType: "application/gzip", filename })
  const streams = (flag: string | undefined) => flag === "true" || flag === "1"
  return {
    routes: {
      preview: async ({ params, caller }) => countsOf(sections, caller, (await exporting.shown(caller, params.id)).ref),
      export: async ({ params, query, caller }) => {
        if (streams(query.stream)) return reply.sse(await exporting.told(caller, params.id, query.sections))
        if (query.format !== "tar.gz") return exporting.bundle(caller, params.id, query.sections)
        const { content, fileName } = await exporting.tarball(caller, params.id, query.sections)
        return gzip(content, fileName)
      },
      download: async ({ params, caller }) => {
        const found = await findArchive(host.db.for(caller), hashOf(params.token), caller.userId)
        if (!found) throw host.fail("unknown_archive", {})
        return gzip(found.content, found.file_name)
      },
      importPreview: async ({ body, headers }) => {
        const incoming = await readIncoming(host, body, headers["content-type"])
        return { manifest: incoming.about, ...countsIn(incoming.sections) }
      },
      import: async ({ body, query, headers, caller }) => {
        const incoming = await readIncoming(host, body, headers["content-type"])
        return streams(query.stream) ? reply.sse(importing.told(caller, incoming)) : importing.run(caller, incoming)
      },
      importInto: async ({ params, body, query, headers, caller }) => {
        const incoming = await readIncoming(host, body, headers["content-type"])
        return streams(query.stream) ? reply.sse(importing.told(caller, incoming, params.id, query.include)) : importing.run(caller, incoming, params.id, query.include)
      },
    },
    jobs: { prune: (_, { caller }) => pruneArchives(host.db.for(caller)) },
  }
})
