import { Type } from "typebox"

export const PluginId = Type.Object({ id: Type.String({ minLength: 1, maxLength: 63 }) })

export const ScopeChoice = {
  scope: Type.Optional(
    Type.Enum(["gateway", "tenant"], {
      default: "gateway",
      description: "For everyone (an owner, or an admin of the master tenant), or for the caller's tenant alone (its admin).",
    }),
  ),
  tenant: Type.Optional(
    Type.String({ minLength: 1, maxLength: 100, description: "With the scope tenant: another tenant, by slug or id. For owners and admins of the master tenant." }),
  ),
}

const Lines = { reason: Type.Optional(Type.String()), remedy: Type.Optional(Type.String({ description: "What mends it." })) }
const Grants = Type.Object({
  db: Type.Boolean(),
  net: Type.Array(Type.String()),
  secrets: Type.Array(Type.String()),
  services: Type.Array(Type.String()),
  hooks: Type.Array(Type.String()),
  points: Type.Array(Type.String()),
  events: Type.Array(Type.String()),
  jobs: Type.Boolean(),
  files: Type.Boolean(),
  system: Type.Boolean(),
})
const Says = Type.Array(Type.String(), { description: "What it may do, in words of the caller's language." })
const Hash = Type.String({ description: "SHA-256 of the package." })

export const Installed = Type.Object({
  id: Type.String(),
  version: Type.String(),
  summary: Type.String(),
  origin: Type.Enum(["bundled", "package"]),
  state: Type.Enum(["active", "disabled", "waiting", "failed", "ready"]),
  ...Lines,
  enabled: Type.Boolean({ description: "For the whole gateway." }),
  enabled_here: Type.Boolean({ description: "In the caller's tenant." }),
  pending: Type.Optional(
    Type.Object({ version: Type.String(), reason: Type.String(), remedy: Type.String() }, { description: "A newer version that does not run, while this one goes on." }),
  ),
})

export const PluginDetails = Type.Object({
  ...Installed.properties,
  config: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: "For those who may change it; secrets are ***." })),
  config_schema: Type.Optional(Type.Unsafe<object>(Type.Object({}, { description: "JSON Schema of the settings." }))),
  locked: Type.Optional(Type.Array(Type.String(), { description: "Keys that the configuration file names." })),
  off_for: Type.Optional(Type.Array(Type.String(), { description: "Tenants for which it is off." })),
  asks: Grants,
  says: Says,
  waiting: Type.Optional(
    Type.Object({
      hash: Hash,
      version: Type.String(),
      asks: Grants,
      says: Says,
      beyond: Type.Array(Type.String(), { description: "Those sentences that nobody has agreed to yet." }),
    }),
  ),
  package: Type.Optional(Type.Object({ hash: Hash, bytes: Type.Integer(), added_by: Type.String(), added_at: Type.String({ format: "date-time" }) })),
  previous: Type.Optional(Type.Object({ hash: Hash, version: Type.String() }, { description: "Where a rollback leads." })),
  contributes: Type.Object({
    routes: Type.Array(Type.String()),
    methods: Type.Array(Type.String()),
    hooks: Type.Array(Type.String()),
    events: Type.Array(Type.String()),
    jobs: Type.Array(Type.String()),
  }),
})
