import { defineManifest, SystemConfigs } from "@plugboard/sdk"
import { Type } from "typebox"

export const maxBytes = 64 << 10

const InPath = Type.Object({
  key: Type.String({
    minLength: 1,
    maxLength: 100,
    description: "Letters, digits, dots, dashes and underscores.",
    documented: { pattern: "^(?!(payload|ok|error)$)[a-zA-Z0-9._-]+$" },
    examples: ["background.model"],
  }),
})
const Entry = Type.Object({ key: Type.String(), value: Type.String() })
const tags = ["System configuration"]
const path = "/v1/system-configs/:key"

export const manifest = defineManifest({
  id: "system-configs",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Settings of a tenant that plugins share, as texts under dotted keys.",
  offers: [SystemConfigs],
  capabilities: { db: true },
  routes: {
    list: {
      method: "GET",
      path: "/v1/system-configs",
      role: "viewer",
      summary: "All settings of the tenant, in one object",
      tags,
      // Source: wire contract, http-core 8. `payload` is left out for the dashboard, which takes each member for a setting.
      reply: Type.Record(Type.String(), Type.Union([Type.String(), Type.Array(Type.Object({ ...Entry.properties, updated_at: Type.String({ format: "date-time" }) }))])),
    },
    get: { method: "GET", path, role: "viewer", summary: "One setting", tags, params: InPath, reply: Entry },
    put: {
      method: "PUT",
      path,
      role: "admin",
      summary: "Write a setting",
      tags,
      params: InPath,
      body: Type.Object({ value: Type.Optional(Type.String({ description: "64 KiB at most; empty when left out." })) }),
      reply: Entry,
    },
    remove: { method: "DELETE", path, role: "admin", summary: "Remove a setting", tags, params: InPath, reply: Type.Object({ status: Type.Literal("deleted") }) },
  },
  events: { "system-configs.changed": { payload: Type.Object({ key: Type.String() }), to: "internal" } },
  errors: {
    unset: { kind: "NOT_FOUND", params: Type.Object({ key: Type.String() }) },
    bad_key: { kind: "INVALID_REQUEST", params: Type.Object({ key: Type.String() }) },
    secret_key: { kind: "INVALID_REQUEST", params: Type.Object({ key: Type.String() }) },
    too_long: { kind: "INVALID_REQUEST", params: Type.Object({ key: Type.String(), bytes: Type.Integer() }) },
    full: { kind: "FAILED_PRECONDITION", params: Type.Object({ keys: Type.Integer(), bytes: Type.Integer() }) },
  },
})
