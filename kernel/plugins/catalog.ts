import type { CatalogService, RpcDecl, Served } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Registry, RegistrySource } from "../registry.ts"
import { connectParams } from "../rpc/connect.ts"
import { spellingsOf } from "../rpc/parameters.ts"

const connect: RpcDecl = {
  auth: "public",
  summary: "Say who is on this socket; the first request, and again to become another",
  params: connectParams,
  result: Type.Object({ protocol: Type.Literal(3), role: Type.Optional(Type.String()), tenant_id: Type.Optional(Type.String()) }),
}

/** The picture of what is served as data: without handlers. Made once for each picture, and when somebody asks. */
export function createCatalog(registry: RegistrySource, version: string): CatalogService {
  const made = new WeakMap<Registry, Served>()
  return {
    async served() {
      const picture = registry.current
      const served = made.get(picture) ?? servedOf(picture, version)
      made.set(picture, served)
      return served
    },
  }
}

function servedOf({ routes, methods, events }: Registry, version: string): Served {
  const declared = [...methods.values()].map(({ plugin, method, decl }) => ({ plugin, name: method, decl, spellings: spellingsOf(decl) }))
  return {
    version,
    routes: routes.map(({ plugin, name, decl }) => ({ plugin, name, decl })),
    methods: [{ plugin: "kernel", name: "connect", decl: connect, spellings: spellingsOf(connect) }, ...declared.sort(byName)],
    events: [...events.values()].filter(({ decl }) => decl.to !== "internal").sort(byName),
  }
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1
}
