import { type HookName, hookDefinitions, type Manifest, type RouteDecl, roles } from "@plugboard/sdk"
import semver from "semver"
import type { Candidate } from "./discover.ts"
import { oddSchema } from "./schema-shape.ts"

/** Version of the SDK's interface, which a manifest's `sdk` range must admit. It changes with the interface, not with releases. */
export const sdkVersion = "1.0.0"

/** Why a plugin is set aside, and what mends it. */
export interface Misfit {
  reason: string
  remedy: string
}

/** Says why a plugin does not fit, to whoever sets it aside. */
export class SetAside extends Error {
  readonly misfit: Misfit
  constructor(misfit: Misfit) {
    super(misfit.reason)
    this.misfit = misfit
  }
}

const verbs = new Set(["GET", "POST", "PUT", "PATCH", "DELETE"])

/** Null when the manifest can be activated. Manifests of other people arrive as JSON, so nothing is taken for granted. */
export function checkManifest(manifest: Manifest, origin: Candidate["origin"] = "bundled"): Misfit | null {
  if (typeof manifest?.id !== "string" || !/^[a-z][a-z0-9-]{0,62}$/.test(manifest.id)) {
    return misfit("its id is not made of lower-case letters, digits and dashes", "Rename the plugin in its manifest.")
  }
  if (!semver.valid(manifest.version)) return misfit(`its version "${manifest.version}" is not a semantic version`, "Write it as 1.2.3 in the manifest.")
  if (!semver.validRange(manifest.sdk)) return misfit(`its sdk range "${manifest.sdk}" cannot be read`, `Write "^${sdkVersion}" in the manifest.`)
  if (!semver.satisfies(sdkVersion, manifest.sdk)) {
    return misfit(`it was made for SDK ${manifest.sdk}, and this gateway offers ${sdkVersion}`, "Install a version of the plugin for this SDK, or another version of the gateway.")
  }
  for (const [name, route] of Object.entries(manifest.routes ?? {})) {
    const access = checkAccess(`route ${name}`, route)
    if (access) return access
    if (!verbs.has(route.method)) return misfit(`route ${name} has the method ${route.method}`, `Use one of ${[...verbs].join(", ")}.`)
    if (![route.path].flat().every((path) => path.startsWith("/"))) return misfit(`route ${name} has a path that does not begin with a slash`, "Begin it with a slash.")
  }
  for (const [name, method] of Object.entries(manifest.rpc ?? {})) {
    const access = checkAccess(`method ${name}`, method)
    if (access) return access
  }
  for (const [name, tap] of Object.entries(manifest.hooks ?? {})) {
    const definition = hookDefinitions[name as HookName]
    if (!definition) return misfit(`it taps the hook ${name}, which does not exist`, `Hooks are ${Object.keys(hookDefinitions).join(", ")}.`)
    if (!definition.phases.includes(tap.phase)) return misfit(`it taps ${name} in the phase "${tap.phase}"`, `Phases of ${name} are ${definition.phases.join(", ")}.`)
  }
  return origin === "bundled" ? null : checkNames(manifest)
}

/** What is not bundled keeps to names that begin with its own, so that it can take nobody's place. */
function checkNames(manifest: Manifest): Misfit | null {
  const { id } = manifest
  if (id === "kernel") return misfit("its id is the gateway's own", "Choose another id.")
  const begin = `${id}.`
  for (const [name, route] of Object.entries(manifest.routes ?? {})) {
    const stray = [route.path].flat().find((path) => path !== `/v1/x/${id}` && !path.startsWith(`/v1/x/${id}/`))
    if (stray) return misfit(`route ${name} of ${id} is at ${stray}, which belongs to the gateway`, `Put it under /v1/x/${id}/.`)
    const odd = [route.path].flat().find((path) => !plainPath.test(path))
    if (odd) return misfit(`route ${name} of ${id} has the path ${odd.slice(0, 200)}, which cannot be served`, "Make it of plain segments, :names, and a *rest at its end.")
    if (mostBytes(route) > longestBody)
      return misfit(`route ${name} of ${id} takes bodies of more than ${longestBody >> 20} MiB`, "Lower its limit: a body crosses to the plugin's process whole.")
  }
  const named: [string, readonly string[]][] = [
    ["method", Object.keys(manifest.rpc ?? {})],
    ["event", Object.keys(manifest.events ?? {})],
    ["offered service", (manifest.offers ?? []).map(({ service }) => service)],
    ["extension point", (manifest.opens ?? []).map(({ point }) => point)],
  ]
  for (const [what, names] of named) {
    const stray = names.find((name) => !name.startsWith(begin))
    if (stray) return misfit(`${what} ${stray} of ${id} has a name that belongs to ${ownerOf(stray)}`, `Begin it with ${begin}`)
  }
  const loginEnder = Object.entries(manifest.errors ?? {}).find(([, { kind }]) => kind === "UNAUTHENTICATED" || kind === "TENANT_ACCESS_REVOKED")
  if (loginEnder) return misfit(`error ${loginEnder[0]} of ${id} has the kind ${loginEnder[1].kind}, which ends a login`, "Use FORBIDDEN.")
  const loud = Object.entries(manifest.events ?? {}).find(([, { to }]) => to === "all")
  if (loud) return misfit(`event ${loud[0]} of ${id} goes to every tenant`, "Send it to one of the audiences within a tenant.")
  const early = Object.entries(manifest.rpc ?? {}).find(([, { before }]) => before !== undefined)
  if (early) return misfit(`method ${early[0]} of ${id} may be called before anybody has connected`, "Remove `before` from it.")
  const schema = oddSchema(manifest)
  if (schema) return misfit(schema, "Correct it, or make it smaller.")
  if (manifest.globalTables?.length)
    return misfit(`it asks for tables that belong to no tenant: ${manifest.globalTables.join(", ")}`, "Give each of its tables a tenant_id and kernel.protect().")
  if (manifest.fires?.length) return misfit(`it wants to call the hooks ${manifest.fires.join(", ")}, which are the gateway's to call`, "Remove `fires` from the manifest.")
  return null
}

/** Nothing that a router would read as a pattern. */
const plainPath = /^(\/(?!\.\.?(\/|$))([A-Za-z0-9._~-]+|:[A-Za-z]\w*))+(\/\*[A-Za-z]\w*)?$/
/** Bytes; a frame between the processes takes 16 MiB. */
const longestBody = 12 << 20

function mostBytes({ body, limits }: RouteDecl): number {
  const own = body && "bodyKind" in body ? body.maxBytes : 0
  return Math.max(own, limits?.bodyBytes ?? 0)
}

function ownerOf(name: string): string {
  return name.includes(".") ? (name.split(".")[0] as string) : "the gateway"
}

function checkAccess(what: string, decl: { role?: unknown; auth?: unknown }): Misfit | null {
  const byRole = typeof decl.role === "string" && (roles as readonly string[]).includes(decl.role)
  const byAuth = decl.auth === "public" || decl.auth === "signed" || decl.auth === "webhook"
  if (byRole !== byAuth) return null
  return misfit(`${what} does not say who may call it`, `Add role (${roles.join(", ")}) or auth (public, signed, webhook) to it.`)
}

function misfit(reason: string, remedy: string): Misfit {
  return { reason, remedy }
}
