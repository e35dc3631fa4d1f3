import { createRequire } from "node:module"
import type Router from "@koa/router"
import type { MultipartBody, RouteDecl } from "@plugboard/sdk"
import type { Context } from "koa"
import { Type } from "typebox"
import { fail } from "../failures.ts"
import type { RouteEntry } from "../registry.ts"
import { compileValidator } from "../validate.ts"
import { bodyReader } from "./body.ts"
import type { ReadBody } from "./parse.ts"
import { textsChecker } from "./query.ts"

/** Not its ES module, which imports node:http; kernel/gateway/doors.ts says what that costs. */
const KoaRouter: typeof Router = createRequire(import.meta.url)("@koa/router")

/** A route with everything that can be prepared before a request comes. */
export interface ServedRoute {
  readonly entry: RouteEntry
  readonly decl: RouteDecl
  readonly readBody: ReadBody
  readonly checkParams: (params: Record<string, string>) => unknown
  readonly checkQuery: (query: Context["query"]) => unknown
}

export interface Match {
  route: ServedRoute
  params: Record<string, string>
}

/**
 * Paths to routes. Most requests go to a path without parameters, which a map finds; @koa/router finds the others, literal segments before parameters.
 * It tries one path after the other, so each pair of first segments has a router of its own (tried: 300 routes in one cost 0.05 CPU-ms a request).
 */
export class RouteTable {
  readonly #literal = new Map<string, ServedRoute>()
  readonly #routers = new Map<string, Router>()
  readonly #served = new Map<string, ServedRoute>()

  constructor(entries: readonly RouteEntry[]) {
    const paths = entries.flatMap((entry) => {
      const route = serve(entry)
      return [entry.decl.path].flat().map((path) => ({ path, route }))
    })
    for (const { path, route } of paths.sort((a, b) => compare(rank(a.path), rank(b.path)))) {
      const { method } = route.decl
      const name = `${method} ${path}`
      if (!/[:*]/.test(path)) this.#literal.set(name, route)
      this.#served.set(name, route)
      const stem = /[:*]/.test(stemOf(path)) ? "" : stemOf(path)
      const router = this.#routers.get(stem) ?? new KoaRouter({ sensitive: true })
      this.#routers.set(stem, router)
      router.register(path, [method], [] as never, { name })
    }
  }

  find(method: string, path: string): Match | undefined {
    // HEAD asks what GET would answer.
    const verb = method === "HEAD" ? "GET" : method
    const literal = this.#literal.get(`${verb} ${path}`)
    if (literal) return { route: literal, params: {} }
    for (const router of this.#routersFor(path)) {
      const layer = router.match(path, verb).pathAndMethod[0]
      // The router decodes: `%2F` is a slash in a parameter.
      if (layer) return { route: this.#served.get(layer.name as string) as ServedRoute, params: layer.params(path, layer.captures(path)) as Record<string, string> }
    }
    return undefined
  }

  /** Methods of a known path, for 405; empty for an unknown one. Of the most specific path that fits, as documents that describe paths have it. */
  methodsOf(path: string): string[] {
    const layers = this.#routersFor(path).flatMap((router) => router.match(path, "").path)
    return [...new Set(layers.flatMap((layer) => (layer.path === layers[0]?.path ? layer.methods : [])))].sort()
  }

  /** Literal first segments before parameters in their place. */
  #routersFor(path: string): Router[] {
    return [this.#routers.get(stemOf(path)) ?? [], this.#routers.get("") ?? []].flat()
  }
}

/** `/v1/things` of `/v1/things/:id`. */
function stemOf(path: string): string {
  const third = path.indexOf("/", path.indexOf("/", 1) + 1)
  if (third > 0) return path.slice(0, third)
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path
}

function serve(entry: RouteEntry): ServedRoute {
  const decl = entry.foreign ? withoutSchemas(entry.decl) : entry.decl
  const validate = decl.params && compileValidator(decl.params, "query")
  return {
    entry,
    decl,
    readBody: bodyReader(decl),
    checkParams(params) {
      // No name of anything, in the database or on the disk, can hold it.
      for (const name in params) if (params[name]?.includes("\0")) throw fail("not_found")
      return validate ? validate(params, "path") : params
    },
    checkQuery: decl.query ? textsChecker(decl.query, "query") : entry.foreign && entry.decl.query ? (query) => query : lastOfEach,
  }
}

/** A schema of somebody else's is compiled where its author's code runs: its patterns can take for ever. */
function withoutSchemas({ params: _, query: __, body, ...decl }: RouteDecl): RouteDecl {
  const kind = (body as { bodyKind?: string } | undefined)?.bodyKind
  return {
    ...decl,
    body: kind === "multipart" ? { ...(body as MultipartBody), fields: Type.Object({}) } : kind === "raw" || body === undefined ? body : Type.Unknown(),
  } as RouteDecl
}

function lastOfEach(query: Context["query"]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]))
}

/** Sorts before everything more general: a literal segment before a parameter, a parameter before a rest. */
function rank(path: string): string {
  return path
    .split("/")
    .map((segment) => (segment.startsWith("*") ? "2" : segment.startsWith(":") ? "1" : `0${segment}`))
    .join("/")
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
