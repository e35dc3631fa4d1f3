import { Backups, defineManifest } from "@plugboard/sdk"
import { Type } from "typebox"

export const manifest = defineManifest({
  id: "backup",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Lets `plugboard backup` take a copy of the embedded database while the gateway serves.",
  requires: [Backups],
  routes: {
    snapshot: {
      method: "POST",
      path: "/v1/backup/snapshot",
      role: "owner",
      summary: "Copy the embedded database's files into the data folder",
      tags: ["Backup"],
      reply: Type.Object({ folder: Type.Union([Type.String(), Type.Null()], { description: "Null on a server, which is read by itself." }) }),
    },
  },
})
