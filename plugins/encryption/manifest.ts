import { defineManifest, Encryption } from "@plugboard/sdk"
import { Type } from "typebox"

const Time = Type.String({ format: "date-time" })
const Key = Type.Object({
  id: Type.String({ description: "Beginning of the key's hash; the key itself is never shown." }),
  newest: Type.Boolean({ description: "Secrets are sealed with it from now on." }),
  secrets: Type.Integer({ description: "Stored secrets that are sealed with it." }),
})
const Rotation = Type.Object({
  key: Type.String(),
  state: Type.Enum(["running", "interrupted", "done"]),
  total: Type.Integer({ description: "Secrets that were sealed with older keys when it began." }),
  resealed: Type.Integer(),
  began_at: Time,
  finished_at: Type.Union([Time, Type.Null()]),
})
const State = Type.Object({ source: Type.Enum(["file", "environment"]), keys: Type.Array(Key), rotation: Type.Union([Rotation, Type.Null()]) })

export const manifest = defineManifest({
  id: "encryption",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "The keys that secrets are sealed with at rest: which there are, and rotation without downtime.",
  requires: [Encryption],
  routes: {
    status: {
      method: "GET",
      path: "/v1/encryption-keys",
      role: "owner",
      summary: "Which keys there are, and how many secrets each has sealed",
      tags: ["Encryption"],
      reply: State,
    },
    rotation: {
      method: "GET",
      path: "/v1/encryption-keys/rotation",
      role: "owner",
      summary: "How far the last rotation is",
      tags: ["Encryption"],
      reply: Type.Object({ rotation: Type.Union([Rotation, Type.Null()]) }),
    },
    rotate: {
      method: "POST",
      path: "/v1/encryption-keys/rotate",
      role: "owner",
      summary: "Make a new key, and begin to seal every secret with it",
      tags: ["Encryption"],
      status: 202,
      reply: Rotation,
    },
    drop: {
      method: "DELETE",
      path: "/v1/encryption-keys/:id",
      role: "owner",
      summary: "Drop an older key that seals nothing any more",
      tags: ["Encryption"],
      params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
      query: Type.Object({ force: Type.Boolean({ default: false, description: "Also when secrets are sealed with it, which can then never be opened again." }) }),
      reply: State,
    },
  },
})
