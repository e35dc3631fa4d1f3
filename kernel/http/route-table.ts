import Router from "@koa/router"
import type { RouteDecl } from "@plugboard/sdk"
import type { RouteEntry } from "../registry.ts"
import { compileValidator } from "../validate.ts"
import { bodyReader, type ReadBody } from "./body.ts"

/** A route with everything that can be prepared before a request comes. */
export interface ServedRoute {
  readonly entry: RouteEntry
  readonly decl: RouteDecl
  readonly readBody: ReadBody
  readonly checkParams: ((value: unknown) => unknown) | undefined
  readonly checkQuery: ((value: unknown) => unknown) | undefined
}

export interface Match {
  route: ServedRoute
  params: Record<string, string>
}

/** Paths to routes. Most requests go to a path without parameters, which a map finds; @koa/router finds the others, literal segments before parameters. */
export class RouteTable {
  readonly #literal = new Map<string, ServedRoute>()
  readonly #router = new Router()
  readonly #served = new Map<string, ServedRoute>()

  constructor(entries: readonly RouteEntry[]) {
    const paths = entries.flatMap((entry) => {
      const route = serve(entry)
      return [entry.decl.path].flat().map((path) => ({ path, route }))
    })
    for (const { path, route } of paths.sort((a, b) => compare(rank(a.path), rank(b.path)))) {
      const { method } = route.decl
      if (!/[:*]/.test(path)) this.#literal.set(`${method} ${path}`, route)
      const name = `${method} ${path}`
      this.#served.set(name, route)
      this.#router.register(path.replace(/\*(\w+)$/, "*$1"), [method], [] as never, { name })
    }
  }

  find(method: string, path: string): Match | undefined {
    // HEAD asks what GET would answer.
    const verb = method === "HEAD" ? "GET" : method
    const literal = this.#literal.get(`${verb} ${path}`)
    if (literal) return { route: literal, params: {} }
    const layer = this.#router.match(path, verb).pathAndMethod[0]
    if (!layer) return undefined
    const route = this.#served.get(layer.name as string) as ServedRoute
    return { route, params: layer.params(path, layer.captures(path)) as Record<string, string> }
  }

  /** Methods of a known path, for 405; empty for an unknown one. */
  methodsOf(path: string): string[] {
    const methods = new Set(this.#router.match(path, "NONE").path.flatMap((layer) => layer.methods))
    if (methods.has("GET")) methods.add("HEAD")
    return [...methods].sort()
  }
}

function serve(entry: RouteEntry): ServedRoute {
  const { decl } = entry
  const params = decl.params && compileValidator(decl.params, "query")
  const query = decl.query && compileValidator(decl.query, "query")
  return {
    entry,
    decl,
    readBody: bodyReader(decl),
    checkParams: params && ((value) => params(value, "path")),
    checkQuery: query && ((value) => query(value, "query")),
  }
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
