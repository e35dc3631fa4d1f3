import { AgentFileStore, AgentFiles, AgentParts, AgentSections, Agents, agentFileNames, defineManifest, PageQuery } from "@plugboard/sdk"
import { Type } from "typebox"

export const Config = Type.Object(
  {
    promptChars: Type.Integer({ default: 20_000, minimum: 100, maximum: 500_000, description: "Of one file in a prompt; the rest is cut, and the prompt says so." }),
    promptTotalChars: Type.Integer({ default: 60_000, minimum: 100, maximum: 2_000_000, description: "Of all files in a prompt." }),
  },
  { additionalProperties: false },
)

const Ref = Type.String({ maxLength: 100, description: "Agent key or UUID; the default agent when empty." })
/** Any text: a name that is not a file's has an error that lists those that are. */
const Name = Type.String({ maxLength: 100, documented: { enum: [...agentFileNames] }, description: `One of ${agentFileNames.join(", ")}.` })
const Content = Type.String({ maxLength: 1_000_000 })
const UserId = Type.String({ minLength: 1, maxLength: 255 })
const Time = Type.String({ format: "date-time" })
const Bytes = Type.Integer({ description: "Bytes." })
const Listed = Type.Object({ name: Type.String(), missing: Type.Boolean(), size: Type.Optional(Bytes), updated_at: Type.Optional(Time) })
const InstanceFile = Type.Object({ agent_id: Type.String(), user_id: Type.String(), file_name: Type.String(), content: Type.String() })
const Updated = Type.Object({ status: Type.Literal("updated") })
const Texts = Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), {
  maxProperties: 100,
  documented: {
    minProperties: 1,
    // Today's command-line client sends the texts alone, others put them under a member. Source: wire contract, http-core 5.
    properties: { metadata: { anyOf: [{ type: "string" }, { type: "object", minProperties: 1, additionalProperties: { type: "string" } }] } },
    additionalProperties: { type: "string" },
  },
})
const aliases = { agent_id: "agentId", file_name: "name" }
const tags = ["Agents"]
const Id = Type.String({ maxLength: 100, description: "UUID or agent key." })
const OfUser = { id: Id, userID: UserId }
const instances = "/v1/agents/:id/instances"

export const manifest = defineManifest({
  id: "agent-files",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "The files that say who an agent is and what it knows of its users.",
  requires: [Agents],
  offers: [AgentFiles, AgentFileStore],
  contributes: [AgentParts, AgentSections],
  capabilities: { db: true },
  config: Config,
  // Without them the agent is another one: better no answer than one that keeps none of its rules.
  hooks: { "prompt.assembling": { phase: "persona", failure: "closed", timeoutMs: 5_000 } },
  routes: {
    instances: {
      method: "GET",
      path: instances,
      role: "viewer",
      summary: "List the users of an agent",
      tags,
      params: Type.Object({ id: Id }),
      query: PageQuery,
      reply: Type.Object({
        instances: Type.Array(
          Type.Object({
            user_id: Type.String(),
            first_seen_at: Type.Optional(Time),
            last_seen_at: Type.Optional(Time),
            file_count: Type.Integer(),
            metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
          }),
        ),
      }),
      alsoAs: "payload",
    },
    instanceFiles: {
      method: "GET",
      path: `${instances}/:userID/files`,
      role: "viewer",
      summary: "List the files that a user of an agent has for himself",
      tags,
      params: Type.Object(OfUser),
      reply: Type.Object({ files: Type.Array(InstanceFile) }),
      alsoAs: "payload",
    },
    instanceFile: {
      method: "GET",
      path: `${instances}/:userID/files/:fileName`,
      role: "viewer",
      summary: "Show a file of a user of an agent",
      tags,
      params: Type.Object({ ...OfUser, fileName: Name }),
      reply: InstanceFile,
    },
    setInstanceFile: {
      method: "PUT",
      path: `${instances}/:userID/files/:fileName`,
      role: "operator",
      summary: "Write what an agent knows of a user (USER.md)",
      tags,
      params: Type.Object({
        ...OfUser,
        fileName: Type.String({ maxLength: 100, description: "USER.md, since an agent has the others once for all.", documented: { enum: ["USER.md"] } }),
      }),
      body: Type.Object({ content: Content }),
      reply: Updated,
    },
    setMetadata: {
      method: "PATCH",
      path: `${instances}/:userID/metadata`,
      role: "operator",
      summary: "Add to the metadata of a user of an agent",
      tags,
      params: Type.Object(OfUser),
      body: Texts,
      reply: Updated,
    },
  },
  rpc: {
    "agents.files.list": {
      role: "viewer",
      summary: "List the files of an agent, also those that are missing",
      params: Type.Object({ agentId: Type.Optional(Ref) }),
      // A bare array is for today's command-line client. Source: wire contract, websocket 8.2.
      result: Type.Union([Type.Object({ agentId: Type.String(), files: Type.Array(Listed) }), Type.Array(Listed)]),
      aliases,
    },
    "agents.files.get": {
      role: "viewer",
      summary: "Show a file of an agent",
      params: Type.Object({ agentId: Type.Optional(Ref), name: Name }),
      result: Type.Object({
        agentId: Type.String(),
        file: Type.Object({ name: Type.String(), missing: Type.Boolean(), size: Type.Optional(Bytes), content: Type.Optional(Type.String()) }),
        content: Type.Optional(Type.String({ description: "The same again, for today's command-line client." })),
      }),
      aliases,
    },
    "agents.files.set": {
      role: "operator",
      summary: "Write a file of an agent",
      params: Type.Object({
        agentId: Type.Optional(Ref),
        name: Name,
        content: Content,
        propagate: Type.Optional(Type.Boolean({ default: false, description: "Also over the copies that users have." })),
      }),
      result: Type.Object({
        agentId: Type.String(),
        file: Type.Object({ name: Type.String(), missing: Type.Literal(false), size: Bytes, content: Type.String() }),
        propagated: Type.Integer({ description: "Copies written." }),
      }),
      aliases,
      order: "agentId",
    },
  },
  events: { "agent_files.changed": { payload: Type.Object({}), to: "internal" } },
  errors: {
    unknown_agent: { kind: "NOT_FOUND", params: Type.Object({ agent: Type.String() }) },
    not_owner: { kind: "FORBIDDEN", params: Type.Object({ agent: Type.String() }) },
    unknown_file: { kind: "INVALID_REQUEST", params: Type.Object({ file: Type.String(), files: Type.String() }) },
    missing_file: { kind: "NOT_FOUND", params: Type.Object({ file: Type.String() }) },
    not_per_user: { kind: "INVALID_REQUEST", params: Type.Object({ file: Type.String() }) },
    bad_entry: { kind: "INVALID_REQUEST", params: Type.Object({ section: Type.String(), entry: Type.Integer() }) },
    bad_metadata: { kind: "INVALID_REQUEST", params: Type.Object({ most: Type.Integer() }) },
  },
})
