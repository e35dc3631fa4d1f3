import { Backups, bytes, defineManifest, raw, sse } from "@plugboard/sdk"
import { Type } from "typebox"

const Bytes = Type.Integer({ minimum: 0 })
const Human = Type.String({ description: "The same for people, such as 12.5 MB." })
const tags = ["Backup"]
const owner = { role: "owner", tags } as const
const Made = Type.Object({ download_url: Type.String(), file_name: Type.String() })

export const manifest = defineManifest({
  id: "backup",
  version: "1.1.0",
  sdk: "^1.0.0",
  summary: "Backups of the gateway while it serves, over HTTP and for `plugboard backup`.",
  requires: [Backups],
  routes: {
    preflight: {
      method: "GET",
      path: "/v1/system/backup/preflight",
      ...owner,
      summary: "Whether there is room for a backup",
      reply: Type.Object({
        pg_dump_available: Type.Boolean({ description: "True: a backup needs no further program." }),
        disk_space_ok: Type.Boolean(),
        db_size_bytes: Bytes,
        db_size_human: Human,
        free_disk_bytes: Bytes,
        free_disk_human: Human,
        data_dir_size_bytes: Bytes,
        data_dir_size_human: Human,
        workspace_size_bytes: Type.Integer({ description: "0: files of workspaces are rows of the database." }),
        workspace_size_human: Human,
        warnings: Type.Array(Type.String()),
      }),
    },
    take: {
      method: "POST",
      path: "/v1/system/backup",
      ...owner,
      summary: "Take a backup of everything, without the encryption key",
      query: Type.Object({ stream: Type.Optional(Type.String({ maxLength: 10, description: "true: events that tell how far it is." })) }),
      // Today's dashboard sends a form without fields.
      body: raw({ maxBytes: 1 << 20, types: ["multipart/form-data", "application/json"] }),
      reply: [Made, sse(Type.Record(Type.String(), Type.Unknown(), { description: "phase and status while it works; download_url and file_name at its end." }))],
      limits: { timeoutMs: 3_600_000 },
    },
    download: {
      method: "GET",
      path: "/v1/system/backup/download/:token",
      ...owner,
      summary: "Fetch a backup, within an hour, from the node that has taken it",
      params: Type.Object({ token: Type.String({ maxLength: 100 }) }),
      reply: bytes("application/gzip"),
    },
    snapshot: {
      method: "POST",
      path: "/v1/backup/snapshot",
      ...owner,
      summary: "Copy the embedded database's files into the data folder",
      reply: Type.Object({ folder: Type.Union([Type.String(), Type.Null()], { description: "Null on a server, which is read by itself." }) }),
    },
  },
  errors: {
    unknown_backup: { kind: "NOT_FOUND" },
    little_room: { kind: "FAILED_PRECONDITION", params: Type.Object({ free: Type.String(), needed: Type.String() }) },
  },
})
