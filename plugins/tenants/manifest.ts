import { anyGiven, defineManifest, memberRoles, PageQuery, Tenants } from "@plugboard/sdk"
import { Type } from "typebox"
import { slugPattern } from "./slug.ts"

const Time = Type.String({ format: "date-time" })
const Settings = Type.Record(Type.String(), Type.Unknown())
const Status = Type.Enum(["active", "suspended", "archived"])

/** Source: wire contract, websocket 4.16. */
const Tenant = Type.Object({
  id: Type.String({ format: "uuid" }),
  name: Type.String(),
  slug: Type.String(),
  status: Status,
  settings: Settings,
  created_at: Time,
  updated_at: Time,
})
const Member = Type.Object({
  id: Type.String({ format: "uuid" }),
  tenant_id: Type.String({ format: "uuid" }),
  user_id: Type.String(),
  display_name: Type.Optional(Type.String()),
  role: Type.Enum([...memberRoles]),
  metadata: Type.Optional(Settings),
  created_at: Time,
  updated_at: Time,
})
const Name = Type.String({ minLength: 1, maxLength: 255 })
const NewTenant = Type.Object(
  {
    name: Name,
    slug: Type.Optional(
      Type.String({
        maxLength: 100,
        description: "Lower-case letters, digits and dashes, 63 at most; made of the name when left out. It never changes.",
        documented: { pattern: `${slugPattern}|^$` },
      }),
    ),
    settings: Type.Optional(Settings),
  },
  {
    documented: {
      anyOf: [{ required: ["slug"], properties: { slug: { type: "string", pattern: slugPattern } } }, { properties: { name: { type: "string", pattern: "[A-Za-z0-9]" } } }],
    },
    examples: [{ name: "Acme", slug: "acme" }],
  },
)
const Change = {
  name: Type.Optional(Name),
  status: Type.Optional(Status),
  settings: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: "Replaces what is there." })),
}
const Ref = Type.String({ minLength: 1, maxLength: 100, description: "Id or slug of a tenant." })
const UserId = Type.String({ minLength: 1, maxLength: 255 })
const NewMember = {
  user_id: UserId,
  role: Type.Optional(Type.Enum([...memberRoles], { default: "member", description: "What the user is in the tenant; it opens no more than the door." })),
}
const Ok = Type.Object({ ok: Type.Literal("true") })
const TenantList = Type.Object({ tenants: Type.Array(Tenant) })
const MemberList = Type.Object({ users: Type.Array(Member) })

const InPath = Type.Object({ id: Ref })
const tags = ["Tenants"]
const owner = { role: "owner", tags } as const
const provisions = { role: "owner", orScope: "operator.provision" } as const

export const manifest = defineManifest({
  id: "tenants",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Tenants of the gateway and who may enter them.",
  requires: [Tenants],
  routes: {
    list: { method: "GET", path: "/v1/tenants", ...owner, summary: "List tenants", query: PageQuery, reply: TenantList, alsoAs: "payload" },
    create: { method: "POST", path: "/v1/tenants", ...provisions, tags, summary: "Make a tenant", status: 201, body: NewTenant, reply: Tenant },
    get: { method: "GET", path: "/v1/tenants/:id", role: "admin", tags, summary: "Show a tenant", params: InPath, reply: Tenant },
    update: {
      method: "PATCH",
      path: "/v1/tenants/:id",
      ...owner,
      summary: "Change a tenant, or suspend it",
      params: InPath,
      body: Type.Object(Change, { documented: anyGiven(...Object.keys(Change)) }),
      reply: Type.Object({ ...Tenant.properties, ...Ok.properties }),
    },
    remove: { method: "DELETE", path: "/v1/tenants/:id", ...owner, summary: "Remove a tenant with its members and keys", params: InPath, reply: Ok },
    members: { method: "GET", path: "/v1/tenants/:id/users", ...owner, summary: "List members", params: InPath, query: PageQuery, reply: MemberList, alsoAs: "payload" },
    own: { method: "GET", path: "/v1/tenant-users", role: "operator", tags, summary: "List members of the caller's tenant", query: PageQuery, reply: MemberList },
    search: {
      method: "GET",
      path: "/v1/users/search",
      role: "operator",
      tags,
      summary: "Find members of the caller's tenant",
      query: Type.Object({
        q: Type.Optional(Type.String({ maxLength: 255, description: "Part of an id or name, whatever its case; all when left out." })),
        limit: Type.Optional(Type.String({ maxLength: 10, description: "30 when left out, 100 at most." })),
        peer_kind: Type.Optional(Type.String({ maxLength: 20, description: "direct, or group: members are no groups." })),
        source: Type.Optional(Type.String({ maxLength: 20, description: "tenant_user, or contact: those are no members." })),
      }),
      reply: Type.Object({
        results: Type.Array(
          Type.Object({
            id: UserId,
            uuid: Type.String({ format: "uuid" }),
            display_name: Type.Optional(Type.String()),
            source: Type.Literal("tenant_user"),
            role: Type.Enum([...memberRoles]),
          }),
        ),
      }),
    },
    addMember: {
      method: "POST",
      path: "/v1/tenants/:id/users",
      ...provisions,
      tags,
      summary: "Add a member, or give it another role",
      status: 201,
      params: InPath,
      body: Type.Object(NewMember),
      reply: Ok,
    },
    removeMember: {
      method: "DELETE",
      path: "/v1/tenants/:id/users/:userId",
      ...owner,
      summary: "Remove a member",
      params: Type.Object({ id: Ref, userId: UserId }),
      reply: Ok,
    },
  },
  rpc: {
    "tenants.list": { role: "owner", summary: "List tenants", result: TenantList },
    "tenants.get": { role: "admin", summary: "Show a tenant", params: InPath, result: Tenant },
    "tenants.create": { ...provisions, summary: "Make a tenant", params: NewTenant, result: Tenant },
    "tenants.update": { role: "owner", summary: "Change a tenant, or suspend it", params: Type.Object({ id: Ref, ...Change }), result: Ok, order: "id" },
    "tenants.delete": { role: "owner", summary: "Remove a tenant with its members and keys", params: InPath, result: Ok, order: "id" },
    "tenants.users.list": { role: "owner", summary: "List members", params: Type.Object({ tenant_id: Ref }), result: MemberList },
    "tenants.users.add": {
      ...provisions,
      summary: "Add a member, or give it another role",
      params: Type.Object({ tenant_id: Ref, ...NewMember }),
      result: Ok,
      order: "tenant_id",
    },
    "tenants.users.remove": { role: "owner", summary: "Remove a member", params: Type.Object({ tenant_id: Ref, user_id: UserId }), result: Ok, order: "tenant_id" },
  },
  events: {
    // Sent by the kernel itself, as the last frame before it closes the socket: no plugin could be sure to come before that.
    "tenant.access.revoked": { payload: Type.Object({ user_id: UserId, tenant_id: Type.String(), payload: Type.Object({ user_id: UserId }) }), to: "user" },
  },
  errors: {
    bad_slug: { kind: "INVALID_REQUEST", params: Type.Object({ slug: Type.String() }) },
    no_slug: { kind: "INVALID_REQUEST" },
    nothing_to_change: { kind: "INVALID_REQUEST" },
  },
})
