import { type Caller, definePlugin, pageOf, type TenantChange, Tenants } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"
import { isSlug, slugOf } from "./slug.ts"

/** Rows of one list, on HTTP and on the socket alike. Source: wire contract, http-core 1.5. */
const most = 1_000

export default definePlugin(manifest, (host) => {
  const tenants = host.use(Tenants)
  const ok = { ok: "true" } as const

  function create(caller: Caller, { name, slug: given, settings }: { name: string; slug?: string; settings?: Record<string, unknown> }) {
    const slug = given || slugOf(name)
    if (slug === "") throw host.fail("no_slug", {})
    if (!isSlug(slug)) throw host.fail("bad_slug", { slug })
    return tenants.create(caller, { name, slug, settings })
  }
  function update(caller: Caller, ref: string, { name, status, settings }: TenantChange) {
    if (name === undefined && status === undefined && settings === undefined) throw host.fail("nothing_to_change", {})
    return tenants.update(caller, ref, { name, status, settings })
  }
  return {
    routes: {
      list: async ({ query, caller }) => {
        const { limit, offset } = pageOf(query, most)
        return { tenants: await tenants.list(caller, limit, offset) }
      },
      create: ({ body, caller }) => create(caller, body),
      get: ({ params, caller }) => tenants.get(caller, params.id),
      update: async ({ params, body, caller }) => ({ ...(await update(caller, params.id, body)), ...ok }),
      remove: async ({ params, caller }) => {
        await tenants.remove(caller, params.id)
        return ok
      },
      members: async ({ params, query, caller }) => {
        const { limit, offset } = pageOf(query, most)
        return { users: await tenants.members(caller, params.id, limit, offset) }
      },
      own: async ({ query, caller }) => {
        const { limit, offset } = pageOf(query, most)
        return { users: await tenants.members(caller, caller.tenantId, limit, offset) }
      },
      search: async ({ query: { q, limit, peer_kind, source }, caller }) => {
        if (peer_kind === "group" || (source && source !== "tenant_user")) return { results: [] }
        const found = await tenants.search(caller, q ?? "", pageOf({ limit }, 100, 30).limit)
        return {
          results: found.map(({ id, user_id, display_name, role }) => ({ id: user_id, uuid: id, ...(display_name && { display_name }), source: "tenant_user" as const, role })),
        }
      },
      addMember: async ({ params, body, caller }) => {
        await tenants.addMember(caller, params.id, body.user_id, body.role ?? "member")
        return ok
      },
      removeMember: async ({ params, caller }) => {
        await tenants.removeMember(caller, params.id, params.userId)
        return ok
      },
    },
    rpc: {
      "tenants.list": async (_, { caller }) => ({ tenants: await tenants.list(caller, most, 0) }),
      "tenants.get": ({ id }, { caller }) => tenants.get(caller, id),
      "tenants.create": (params, { caller }) => create(caller, params),
      "tenants.update": async ({ id, ...change }, { caller }) => {
        await update(caller, id, change)
        return ok
      },
      "tenants.delete": async ({ id }, { caller }) => {
        await tenants.remove(caller, id)
        return ok
      },
      "tenants.users.list": async ({ tenant_id }, { caller }) => ({ users: await tenants.members(caller, tenant_id, most, 0) }),
      "tenants.users.add": async ({ tenant_id, user_id, role }, { caller }) => {
        await tenants.addMember(caller, tenant_id, user_id, role ?? "member")
        return ok
      },
      "tenants.users.remove": async ({ tenant_id, user_id }, { caller }) => {
        await tenants.removeMember(caller, tenant_id, user_id)
        return ok
      },
    },
  }
})
