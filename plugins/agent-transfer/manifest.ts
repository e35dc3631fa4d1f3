import { AgentRecords, AgentSections, Agents, bytes, defineManifest, raw, sse } from "@plugboard/sdk"
import { Type } from "typebox"
import { oneSection } from "./sections.ts"

export const Config = Type.Object(
  {
    maxBytes: Type.Integer({ default: 64 << 20, minimum: 1 << 10, maximum: 1 << 30, description: "Of an archive's contents, unpacked, either way. Bytes." }),
    keepSeconds: Type.Integer({ default: 600, minimum: 10, maximum: 86_400, description: "How long an export waits to be fetched." }),
  },
  { additionalProperties: false },
)

const Id = Type.Object({ id: Type.String({ maxLength: 100, description: "UUID or agent key." }) })
const Flag = Type.Optional(Type.String({ maxLength: 10, description: "true: events that tell how far it is." }))
const Counts = Type.Record(Type.String(), Type.Unknown())
const Event = Type.Record(Type.String(), Type.Unknown(), { description: "phase and status while it works; at its end, what would be the reply, or download_url and file_name." })
/** A form with a `file`, or a bundle as JSON: which of them, clients say by the content type. */
const Archive = raw({ maxBytes: 64 << 20, types: ["multipart/form-data", "application/json", "application/gzip"] })
const tags = ["Agents"]

export const manifest = defineManifest({
  id: "agent-transfer",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Agents as archives: exported with what belongs to them, and imported.",
  requires: [AgentRecords, Agents],
  opens: [AgentSections],
  capabilities: { db: true },
  config: Config,
  routes: {
    preview: { method: "GET", path: "/v1/agents/:id/export/preview", role: "viewer", summary: "How much an export of an agent would hold", tags, params: Id, reply: Counts },
    export: {
      method: "GET",
      path: "/v1/agents/:id/export",
      role: "viewer",
      summary: "Export an agent: JSON, or a gzipped tarball",
      tags,
      params: Id,
      query: Type.Object({
        sections: Type.Optional(
          Type.String({
            maxLength: 500,
            description: "Such as config,context_files (the usual), or all.",
            documented: { pattern: `^${oneSection}(,${oneSection})*$` },
            examples: ["config,context_files"],
          }),
        ),
        format: Type.Optional(Type.String({ maxLength: 20, description: "tar.gz: a gzipped tarball." })),
        stream: Flag,
      }),
      reply: [Counts, sse(Event), bytes("application/gzip")],
    },
    download: {
      method: "GET",
      path: ["/v1/agents/:id/export/download/:token", "/v1/export/download/:token"],
      role: "viewer",
      summary: "Fetch an export that the caller has made",
      tags,
      params: Type.Object({ id: Type.Optional(Type.String({ maxLength: 100 })), token: Type.String({ maxLength: 100 }) }),
      reply: bytes("application/gzip"),
    },
    importPreview: { method: "POST", path: "/v1/agents/import/preview", role: "admin", summary: "Look into an archive", tags, body: Archive, reply: Counts },
    import: {
      method: "POST",
      path: "/v1/agents/import",
      role: "admin",
      summary: "Make an agent of an archive",
      tags,
      status: 201,
      query: Type.Object({ stream: Flag }),
      body: Archive,
      reply: [Counts, sse(Event)],
    },
    importInto: {
      method: "POST",
      path: "/v1/agents/:id/import",
      role: "admin",
      summary: "Add an archive to an agent",
      tags,
      params: Id,
      query: Type.Object({ include: Type.Optional(Type.String({ maxLength: 500, description: "Sections to take; all that it holds when left out." })), stream: Flag }),
      body: Archive,
      reply: [Counts, sse(Event)],
    },
  },
  jobs: { prune: { data: Type.Object({}), cron: "13 * * * *" } },
  errors: {
    unknown_agent: { kind: "NOT_FOUND", params: Type.Object({ agent: Type.String() }) },
    unknown_archive: { kind: "NOT_FOUND" },
    unknown_section: { kind: "INVALID_REQUEST", params: Type.Object({ sections: Type.String() }) },
    too_large: { kind: "TOO_LARGE", params: Type.Object({ bytes: Type.Integer() }) },
    bad_entry: { kind: "INVALID_REQUEST", params: Type.Object({ section: Type.String(), entry: Type.Integer() }) },
    no_archive: { kind: "INVALID_REQUEST" },
  },
})
