import type { RouteDecl, RouteRequest, RpcCall, Texts } from "@plugboard/sdk"
import type { EventEntry, MethodEntry, Registry, RouteEntry } from "../registry.ts"
import type { ActivePlugin } from "./active.ts"
import { type Crossing, sameProcess } from "./services.ts"

/** What the active plugins contribute, as one picture. Throws when two of them claim the same route, method or event, naming both. */
export function pictureOf(plugins: readonly ActivePlugin[], kernelTexts: Texts, cross: Crossing, isOff: Registry["isOff"]): Registry {
  const routes: RouteEntry[] = []
  const methods = new Map<string, MethodEntry>()
  const events = new Map<string, EventEntry>()
  const paths = new Map<string, string>()
  const claim = <V>(map: Map<string, V>, what: string, name: string, owner: string, value: V, present: (value: V) => string) => {
    const before = map.get(name)
    if (before !== undefined) throw new Error(`${what} ${name} belongs to ${present(before)} already; ${owner} cannot have it too`)
    map.set(name, value)
  }
  for (const { manifest, parts, candidate } of plugins) {
    const plugin = manifest.id
    const foreign = candidate.origin === "package"
    for (const [name, decl] of Object.entries(manifest.routes ?? {})) {
      for (const path of [decl.path].flat()) claim(paths, "route", `${decl.method} ${path.replace(/:[^/]+/g, ":")}`, plugin, plugin, (owner) => owner)
      const run = parts.routes?.[name] as RouteEntry["handle"]
      routes.push({ plugin, name, decl, foreign, handle: cross === sameProcess ? run : crossRoute(run, cross) })
    }
    for (const [method, decl] of Object.entries(manifest.rpc ?? {})) {
      const run = parts.rpc?.[method] as (params: unknown, call: RpcCall) => Promise<unknown>
      const handle = cross === sameProcess ? run : async (params: unknown, call: RpcCall) => cross(await run(cross(params), call))
      claim(methods, "method", method, plugin, { plugin, method, decl, foreign, handle }, (entry) => entry.plugin)
    }
    for (const [name, decl] of Object.entries(manifest.events ?? {})) claim(events, "event", name, plugin, { plugin, name, decl }, (entry) => entry.plugin)
  }
  const texts = new Map([["kernel", kernelTexts], ...plugins.map(({ manifest, texts: own }) => [manifest.id, own] as const)])
  return { routes, methods, events, manifests: plugins.map(({ manifest }) => manifest), texts, isOff }
}

/** What a route's request and answer would be on the other side of a process border; streams cross piece by piece in the services that carry them. */
function crossRoute(run: RouteEntry["handle"], cross: Crossing): RouteEntry["handle"] {
  return async (request: RouteRequest<RouteDecl>) => {
    const answer = await run({
      signal: request.signal,
      headers: request.headers,
      body: cross(request.body),
      params: cross(request.params),
      query: cross(request.query),
      caller: cross(request.caller),
    })
    const streams = typeof answer === "object" && answer !== null && "answer" in answer && answer.answer !== "json"
    return streams ? answer : cross(answer)
  }
}
