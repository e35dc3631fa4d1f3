import { defineManifest, PageQuery, Providers, ProviderTypes } from "@plugboard/sdk"
import { Type } from "typebox"
import { RoutingConfig } from "./routing-settings.ts"

const Id = Type.Object({ id: Type.String({ maxLength: 100, description: "UUID or name.", examples: ["loopback"] }) })
const Name = Type.String({ maxLength: 100, description: "A slug.", documented: { pattern: "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" } })
const ProviderTypeName = Type.String({ maxLength: 100, description: "One that an enabled plugin contributes, such as openai_compat or loopback." })

export const Provider = Type.Object({
  id: Type.String(),
  tenant_id: Type.String(),
  name: Type.String(),
  display_name: Type.Optional(Type.String()),
  provider_type: Type.String(),
  api_base: Type.Optional(Type.String()),
  api_key: Type.Optional(Type.Literal("***")),
  enabled: Type.Boolean(),
  settings: Type.Record(Type.String(), Type.Unknown()),
  created_at: Type.String({ format: "date-time" }),
  updated_at: Type.String({ format: "date-time" }),
})

const shared = {
  display_name: Type.Optional(Type.String({ maxLength: 255 })),
  api_base: Type.Optional(
    Type.String({ maxLength: 2_000, description: "http or https; without it the type's own address.", documented: { pattern: "^\\s*([hH][tT][tT][pP][sS]?://[^?#]+|/*)\\s*$" } }),
  ),
  api_key: Type.Optional(
    Type.String({
      maxLength: 8_192,
      description: "Stored encrypted; several, separated by commas, take turns. In an update, *** or an empty text keeps what is stored.",
      documented: { pattern: "^[\\s!-~]*$" },
    }),
  ),
  enabled: Type.Optional(Type.Boolean()),
  settings: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
}
export const NewProvider = Type.Object(
  { name: Name, provider_type: ProviderTypeName, ...shared },
  { examples: [{ name: "rehearsal", display_name: "Rehearsal", provider_type: "loopback" }] },
)
export const ProviderChange = Type.Object({ name: Type.Optional(Name), provider_type: Type.Optional(ProviderTypeName), ...shared })

const Model = Type.Object({ id: Type.String(), name: Type.Optional(Type.String()) })
export const Models = Type.Object({ models: Type.Array(Model), warning: Type.Optional(Type.String({ description: "Why the list is empty." })) })
export const Verdict = Type.Object({ valid: Type.Boolean(), error: Type.Optional(Type.String()), note: Type.Optional(Type.String()) })
const Done = Type.Object({ status: Type.String() })
const tags = ["Providers"]

export const manifest = defineManifest({
  id: "providers",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "LLM providers of a tenant: where they are, with which key, and which models they have.",
  offers: [Providers],
  opens: [ProviderTypes],
  capabilities: { db: true, net: ["*"], secrets: ["api_key"] },
  config: RoutingConfig,
  fires: ["llm.failed"],
  routes: {
    list: {
      method: "GET",
      path: "/v1/providers",
      role: "viewer",
      summary: "List providers",
      tags,
      query: PageQuery,
      reply: Type.Object({ providers: Type.Array(Provider) }),
      alsoAs: "payload",
    },
    create: { method: "POST", path: "/v1/providers", role: "admin", summary: "Add a provider", tags, status: 201, body: NewProvider, reply: Provider },
    get: { method: "GET", path: "/v1/providers/:id", role: "viewer", summary: "Show a provider", tags, params: Id, reply: Provider },
    update: { method: "PUT", path: "/v1/providers/:id", role: "admin", summary: "Change a provider", tags, params: Id, body: ProviderChange, reply: Done },
    remove: { method: "DELETE", path: "/v1/providers/:id", role: "admin", summary: "Remove a provider", tags, params: Id, reply: Done },
    models: { method: "GET", path: "/v1/providers/:id/models", role: "viewer", summary: "List a provider's models", tags, params: Id, reply: Models, alsoAs: "payload" },
    verify: {
      method: "POST",
      path: "/v1/providers/:id/verify",
      role: "operator",
      summary: "Check that a provider, or one of its models, answers",
      tags,
      params: Id,
      body: Type.Object({ model: Type.Optional(Type.String({ maxLength: 255 })) }),
      reply: Verdict,
      limits: { bodyBytes: 65_536 },
    },
    verifyEmbedding: {
      method: "POST",
      path: "/v1/providers/:id/verify-embedding",
      role: "operator",
      summary: "Check that a provider makes vectors, and how long they are",
      tags,
      params: Id,
      body: Type.Object({ model: Type.Optional(Type.String({ maxLength: 255 })), dimensions: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })) }),
      reply: Type.Object({
        valid: Type.Boolean(),
        dimensions: Type.Optional(Type.Integer()),
        dimension_mismatch: Type.Optional(Type.Boolean({ description: "The vectors are of another length than was asked about." })),
        error: Type.Optional(Type.String()),
      }),
      limits: { bodyBytes: 65_536 },
    },
    embeddingStatus: {
      method: "GET",
      path: "/v1/embedding/status",
      role: "viewer",
      summary: "Which provider makes the tenant's vectors",
      tags,
      reply: Type.Object({
        configured: Type.Boolean(),
        provider: Type.Optional(Type.String({ description: "Its type." })),
        provider_name: Type.Optional(Type.String()),
        model: Type.Optional(Type.String()),
      }),
    },
  },
  rpc: {
    "providers.models": {
      role: "viewer",
      summary: "List a provider's models",
      params: Type.Object({ provider: Type.String({ minLength: 1, maxLength: 100 }) }),
      result: Models,
      aliases: { id: "provider", name: "provider" },
    },
    "models.list": { role: "viewer", summary: "List the models of all enabled providers", result: Models },
  },
  events: { "providers.changed": { payload: Type.Object({ id: Type.String() }), to: "internal" } },
  errors: {
    unknown_provider: { kind: "NOT_FOUND", params: Type.Object({ provider: Type.String() }) },
    type_missing: { kind: "FAILED_PRECONDITION", params: Type.Object({ provider: Type.String(), type: Type.String() }) },
    unreadable_key: { kind: "FAILED_PRECONDITION", params: Type.Object({ provider: Type.String() }) },
    provider_disabled: { kind: "FAILED_PRECONDITION", params: Type.Object({ provider: Type.String() }) },
    not_offered: { kind: "INVALID_REQUEST", params: Type.Object({ provider: Type.String(), what: Type.String() }) },
    unsupported_type: { kind: "INVALID_REQUEST", params: Type.Object({ type: Type.String(), known: Type.String() }) },
    bad_name: { kind: "INVALID_REQUEST", params: Type.Object({ name: Type.String() }) },
    name_taken: { kind: "ALREADY_EXISTS", params: Type.Object({ name: Type.String() }) },
    bad_base: { kind: "INVALID_REQUEST", params: Type.Object({ base: Type.String() }) },
    masked_key: { kind: "INVALID_REQUEST" },
    bad_key: { kind: "INVALID_REQUEST" },
    // Why a provider of a chain gave no answer, and what is told when none of them did.
    provider_resting: { kind: "UNAVAILABLE", params: Type.Object({ provider: Type.String() }) },
    provider_busy: { kind: "UNAVAILABLE", params: Type.Object({ provider: Type.String(), most: Type.Integer() }) },
    circuit_open: { kind: "UNAVAILABLE", params: Type.Object({ provider: Type.String(), model: Type.String() }) },
    provider_timeout: { kind: "AGENT_TIMEOUT", params: Type.Object({ provider: Type.String(), reason: Type.String() }) },
    no_answer: { kind: "UPSTREAM_FAILED", params: Type.Object({ tried: Type.String() }) },
  },
})
