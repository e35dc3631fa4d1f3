import { AgentParts, Agents, defineManifest } from "@plugboard/sdk"
import { Type } from "typebox"

export const Word = Type.Enum(["allow", "ask", "deny"])
const becomes = (word: "allow" | "ask" | "deny", description: string) => Type.Enum(["allow", "ask", "deny"], { default: word, description })

export const Config = Type.Object(
  {
    safe: becomes("allow", "What becomes of calls to tools that read nothing private and change nothing, where an agent says nothing else."),
    read: becomes("allow", "The same for tools that read the tenant's data."),
    write: becomes("allow", "The same for tools that change it."),
    exec: becomes("ask", "The same for tools that run something, or reach outside."),
    agentsMayLoosen: Type.Boolean({ default: true, description: "False: an agent's tools_config may ask or deny where these words allow, and never the other way round." }),
    expirySeconds: Type.Integer({ default: 300, minimum: 1, maximum: 3_500, description: "How long a call waits for an answer; then it counts as denied." }),
    maxPending: Type.Integer({ default: 500, minimum: 1, maximum: 10_000, description: "Calls of a tenant that wait at once; further ones are denied." }),
    maxChars: Type.Integer({ default: 20_000, minimum: 200, maximum: 200_000, description: "Longest call that is shown to somebody, and so the longest that can be approved." }),
    keepDays: Type.Integer({ default: 30, minimum: 1, maximum: 3_650, description: "How long answered requests are kept." }),
  },
  { additionalProperties: false },
)

const Id = Type.String({ maxLength: 100 })
const Ms = Type.Integer({ description: "Epoch milliseconds." })
/** Source: wire contract, websocket 4.10 and 5.3; the members behind `createdAt` are ours. */
const Request = Type.Object({
  id: Type.String(),
  command: Type.String({ description: "What will run, whole: the tool and its arguments as JSON. What cannot be seen is written as an escape." }),
  agentId: Type.String({ description: "The agent's key." }),
  createdAt: Ms,
  expiresAt: Ms,
  toolName: Type.String(),
  risk: Type.String(),
  sessionKey: Type.String(),
  runId: Type.String(),
  userId: Type.String(),
})
const Rule = Type.Object({
  id: Type.String(),
  agentId: Type.String(),
  toolName: Type.String(),
  arguments: Type.String({ description: "Those that must be the same, as JSON." }),
  exact: Type.Boolean({ description: "True: no other arguments." }),
  userId: Type.Union([Type.String(), Type.Null()], { description: "Whose runs; null: everybody's." }),
  createdBy: Type.String(),
  createdAt: Ms,
})
const orScope = "operator.approvals"

export const manifest = defineManifest({
  id: "approvals",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Risky calls of tools wait until somebody has seen and approved them.",
  requires: [Agents],
  contributes: [AgentParts],
  capabilities: { db: true },
  config: Config,
  // Without a word on it a call that should be asked for does not go through.
  hooks: { "tool.calling": { phase: "approval", failure: "closed" } },
  listens: ["sessions.interrupted"],
  routes: {
    groups: {
      method: "GET",
      path: "/v1/shell-deny-groups",
      role: "viewer",
      summary: "Classes of tools, and whether their calls are kept from running unless an agent opens them",
      tags: ["Tools"],
      reply: Type.Object({
        groups: Type.Array(
          Type.Object({
            name: Type.String(),
            description: Type.String(),
            default: Type.Boolean({ description: "True: a call waits for approval, or is denied, unless an agent's tools_config.approval says otherwise." }),
          }),
        ),
      }),
    },
  },
  rpc: {
    "exec.approval.list": {
      role: "viewer",
      orScope,
      summary: "Calls of tools that wait for approval, oldest first",
      params: Type.Object({ limit: Type.Optional(Type.Integer()), offset: Type.Optional(Type.Integer()) }),
      // A bare array is for today's command-line client. Source: wire contract, websocket 8.2.
      result: Type.Union([Type.Object({ pending: Type.Array(Request) }), Type.Array(Type.Record(Type.String(), Type.Unknown()))]),
    },
    "exec.approval.approve": {
      role: "operator",
      orScope,
      summary: "Let a call run, once or from now on",
      params: Type.Object({
        id: Id,
        always: Type.Optional(
          Type.Boolean({ description: "Approves the same call from now on: for everybody's runs by those who see all requests, for the caller's own runs otherwise." }),
        ),
        sameArguments: Type.Optional(
          Type.Array(Type.String({ maxLength: 200 }), {
            maxItems: 50,
            description: "With always: names of the arguments that must be the same. All, and no others, when left out; with an empty list any call of the tool.",
          }),
        ),
      }),
      result: Type.Object({ resolved: Type.Literal(true), decision: Type.Enum(["allow-once", "allow-always"]) }),
      order: "id",
    },
    "exec.approval.deny": {
      role: "operator",
      orScope,
      summary: "Refuse a call; the agent is told, and goes on",
      params: Type.Object({ id: Id, reason: Type.Optional(Type.String({ maxLength: 2_000, description: "Shown to the agent, and kept in the audit log." })) }),
      result: Type.Object({ resolved: Type.Literal(true), decision: Type.Literal("deny") }),
      order: "id",
    },
    "exec.approval.rules.list": {
      role: "viewer",
      orScope,
      summary: "Calls that are approved beforehand, newest first",
      params: Type.Object({ limit: Type.Optional(Type.Integer()), offset: Type.Optional(Type.Integer()) }),
      result: Type.Object({ rules: Type.Array(Rule), total: Type.Integer() }),
    },
    "exec.approval.rules.revoke": {
      role: "operator",
      orScope,
      summary: "Ask again from now on",
      params: Type.Object({ id: Id }),
      result: Type.Object({ revoked: Type.Literal(true) }),
    },
  },
  events: {
    "exec.approval.requested": { payload: Request, to: "user+admins" },
    "exec.approval.resolved": {
      payload: Type.Object({
        id: Type.String(),
        decision: Type.Enum(["allow-once", "allow-always", "deny"]),
        status: Type.Enum(["approved", "denied", "expired", "cancelled"]),
        userId: Type.String({ description: "Whose run it is." }),
      }),
      to: "user+admins",
    },
    "approvals.decided": { payload: Type.Object({ id: Type.String() }), to: "internal" },
  },
  jobs: { prune: { data: Type.Object({}), cron: "41 3 * * *" } },
  errors: {
    unknown_approval: { kind: "NOT_FOUND", params: Type.Object({ id: Type.String() }) },
    already_decided: { kind: "FAILED_PRECONDITION", params: Type.Object({ status: Type.String() }) },
    unknown_rule: { kind: "NOT_FOUND", params: Type.Object({ id: Type.String() }) },
    unknown_argument: { kind: "INVALID_REQUEST", params: Type.Object({ name: Type.String() }) },
    // What the model reads.
    denied: { kind: "FORBIDDEN", params: Type.Object({ by: Type.String() }) },
    denied_because: { kind: "FORBIDDEN", params: Type.Object({ by: Type.String(), reason: Type.String() }) },
    expired: { kind: "FORBIDDEN", params: Type.Object({ seconds: Type.Integer() }) },
    not_allowed: { kind: "FORBIDDEN", params: Type.Object({ tool: Type.String() }) },
    too_long: { kind: "FORBIDDEN", params: Type.Object({ maxChars: Type.Integer() }) },
    too_many: { kind: "FORBIDDEN", params: Type.Object({ maxPending: Type.Integer() }) },
    changed: { kind: "FORBIDDEN" },
    run_ended: { kind: "UNAVAILABLE" },
  },
})
