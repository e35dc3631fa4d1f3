import { type Caller, type HookContext, type HookName, hookDefinitions, type Life, type Manifest, type Texts } from "@plugboard/sdk"
import type { RegisteredTap } from "../hooks/tap.ts"
import type { Owner } from "./claims.ts"
import type { Candidate } from "./discover.ts"
import type { ActiveJob } from "./jobs.ts"
import type { Misfit } from "./manifest-check.ts"
import { type Crossing, sameProcess } from "./services.ts"

type Handler = (...args: never[]) => unknown

/** A plugin that runs: one activation of it. */
export interface ActivePlugin extends Owner {
  readonly candidate: Candidate
  readonly manifest: Manifest
  /** Its settings as they were given; another text means another activation. */
  readonly settings: string
  readonly texts: Texts
  readonly parts: Life & { condition?: () => Misfit | null } & Partial<Record<"routes" | "rpc" | "hooks" | "jobs", Record<string, Handler>>>
  /** Ends what its host has begun in its name: subscriptions. */
  readonly undo: readonly (() => void)[]
}

export function tapsOf({ manifest, parts }: Pick<ActivePlugin, "manifest" | "parts">, cross: Crossing): RegisteredTap[] {
  return Object.entries(manifest.hooks ?? {}).map(([hook, decl]) => {
    const run = parts.hooks?.[hook] as (value: unknown, context: HookContext) => unknown
    // A stream crosses piece by piece, in the service that carries it; everything else as one value.
    const crossing = async function crossTap(value: unknown, context: HookContext) {
      return cross(await run(cross(value), context))
    }
    const direct = cross === sameProcess || hookDefinitions[hook as HookName].kind === "transform"
    return { plugin: manifest.id, hook: hook as HookName, decl, run: (direct ? run : crossing) as RegisteredTap["run"] }
  })
}

/** A handler for each thing that is declared, and nothing else. The compiler says it too, but not to authors without one. */
export function checkParts({ manifest, parts }: Pick<ActivePlugin, "manifest" | "parts">): Misfit | null {
  for (const kind of ["routes", "rpc", "hooks", "jobs"] as const) {
    const declared = Object.keys(manifest[kind] ?? {})
    const given = Object.keys(parts[kind] ?? {})
    const missing = declared.find((name) => typeof parts[kind]?.[name] !== "function")
    if (missing) return { reason: `its handler ${kind}.${missing} is missing`, remedy: "Return a function under that name from its activation." }
    const extra = given.find((name) => !declared.includes(name))
    if (extra) return { reason: `its handler ${kind}.${extra} is not in its manifest`, remedy: `Declare ${extra} in the manifest, or remove the handler.` }
  }
  return null
}

export function jobsOf({ manifest, parts }: ActivePlugin): ActiveJob[] {
  return Object.entries(manifest.jobs ?? {}).map(([name, decl]) => ({
    plugin: manifest.id,
    name,
    decl,
    run: async (data: object, caller: Caller, signal: AbortSignal) => {
      await (parts.jobs?.[name] as ((data: object, run: object) => Promise<void>) | undefined)?.(data, { caller, signal })
    },
  }))
}
