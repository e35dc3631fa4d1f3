import { defineManifest, Keys, PageQuery, scopes } from "@plugboard/sdk"
import { Type } from "typebox"

const NullableTime = Type.Union([Type.String({ format: "date-time" }), Type.Null()])

const ApiKey = Type.Object({
  id: Type.String({ format: "uuid" }),
  tenant_id: Type.Union([Type.String({ format: "uuid" }), Type.Null()], { description: "Null for a key of the whole gateway." }),
  name: Type.String(),
  prefix: Type.String({ description: "First 8 characters of the key." }),
  scopes: Type.Array(Type.Enum([...scopes])),
  owner_id: Type.Optional(Type.String({ description: "The only user that the key acts for." })),
  expires_at: NullableTime,
  last_used_at: NullableTime,
  revoked: Type.Boolean(),
  created_by: Type.String(),
  created_at: Type.String({ format: "date-time" }),
  updated_at: Type.String({ format: "date-time" }),
})

const NewApiKey = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 100, examples: ["ci-deploy"] }),
  scopes: Type.Array(Type.String({ maxLength: 100, documented: { enum: [...scopes] } }), {
    minItems: 1,
    maxItems: 50,
    description: `From ${scopes.join(", ")}.`,
    examples: [["operator.read", "operator.write"]],
  }),
  expires_in: Type.Optional(Type.Union([Type.Integer(), Type.Null()], { description: "Seconds; absent, null, 0 or less: never." })),
  owner_id: Type.Optional(Type.String({ maxLength: 255, description: "The key acts for this user only, whatever the client says." })),
  tenant_id: Type.Optional(Type.String({ description: "Owners: the key's tenant, absent for a key of the whole gateway. Admins need operator.provision to choose it." })),
})

const CreatedApiKey = Type.Object({ ...ApiKey.properties, key: Type.String({ description: "The secret; shown here only." }) })
const Revoked = Type.Object({ status: Type.Literal("revoked") })
const KeyId = Type.Object({ id: Type.String({ format: "uuid" }) })
const route = { role: "admin", tags: ["API Keys"] } as const

export const manifest = defineManifest({
  id: "api-keys",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "API keys of a tenant: list, make, revoke.",
  requires: [Keys],
  routes: {
    list: { method: "GET", path: "/v1/api-keys", ...route, summary: "List API keys", query: PageQuery, reply: Type.Array(ApiKey) },
    create: { method: "POST", path: "/v1/api-keys", ...route, summary: "Make an API key", status: 201, body: NewApiKey, reply: CreatedApiKey },
    remove: { method: "DELETE", path: "/v1/api-keys/:id", ...route, summary: "Revoke an API key", params: KeyId, reply: Revoked },
    revoke: { method: "POST", path: "/v1/api-keys/:id/revoke", ...route, summary: "Revoke an API key", params: KeyId, reply: Revoked },
  },
  rpc: {
    "api_keys.list": { role: "admin", summary: "List API keys", result: Type.Array(ApiKey) },
    "api_keys.create": { role: "admin", summary: "Make an API key", params: NewApiKey, result: CreatedApiKey },
    "api_keys.revoke": { role: "admin", summary: "Revoke an API key", params: KeyId, result: Revoked, order: "id" },
  },
})
