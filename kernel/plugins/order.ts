import type { Manifest } from "@plugboard/sdk"
import semver from "semver"
import type { Misfit } from "./manifest-check.ts"

interface Ranked {
  manifest: Manifest
  origin?: "bundled" | "package"
}

export interface Order<T> {
  /** Each after all that it needs; among equals by id. */
  ordered: T[]
  aside: { item: T; misfit: Misfit }[]
}

/** Sorts by `requires` and `after`; bundled ones first, so that a package which claims the name of something of theirs is the one that is refused. What needs a service that nobody offers, or needs itself in the end, is set aside by name; so is what needs those. */
export function orderPlugins<T extends Ranked>(items: readonly T[], kernelServices: readonly { service: string; version: string }[]): Order<T> {
  const pending = new Map([...items].sort(byRank).map((item) => [item.manifest.id, item]))
  const offers = new Map(kernelServices.map((token) => [token.service, { version: token.version, owner: "" }]))
  for (const item of pending.values()) for (const token of item.manifest.offers ?? []) offers.set(token.service, { version: token.version, owner: item.manifest.id })
  const aside: Order<T>["aside"] = []
  const ordered: T[] = []
  const done = new Set<string>([""])

  const needs = (manifest: Manifest): string[] => {
    const owners = (manifest.requires ?? []).map((token) => offers.get(token.service)?.owner ?? "?")
    return [...new Set([...owners, ...(manifest.after ?? []).filter((id) => pending.has(id))])].filter((id) => id !== manifest.id)
  }
  const lacking = (manifest: Manifest): Misfit | null => {
    for (const token of manifest.requires ?? []) {
      const offer = offers.get(token.service)
      if (!offer) return { reason: `it needs the service ${token.service}, which no enabled plugin offers`, remedy: `Enable or install a plugin that offers ${token.service}.` }
      if (!semver.satisfies(offer.version, `^${token.version}`)) {
        return { reason: `it needs ${token.service} ${token.version}, and ${offer.owner || "the kernel"} offers ${offer.version}`, remedy: "Install versions that fit each other." }
      }
    }
    return null
  }
  const setAside = (item: T, misfit: Misfit): void => {
    aside.push({ item, misfit })
    pending.delete(item.manifest.id)
    for (const token of item.manifest.offers ?? []) offers.delete(token.service)
  }

  while (pending.size > 0) {
    const misfits = [...pending.values()].map((item) => ({ item, misfit: lacking(item.manifest) })).filter((entry) => entry.misfit !== null)
    for (const { item, misfit } of misfits) setAside(item, misfit as Misfit)
    if (misfits.length > 0) continue
    const next = [...pending.values()].find((item) => needs(item.manifest).every((id) => done.has(id)))
    if (next) {
      pending.delete(next.manifest.id)
      done.add(next.manifest.id)
      ordered.push(next)
      continue
    }
    const cycle = findCycle(pending, needs)
    const misfit = {
      reason: `it is part of a circle of needs: ${[...cycle, cycle[0]].join(" -> ")}`,
      remedy: "Disable one of them, or break the circle with a hook or an extension point.",
    }
    for (const id of cycle) setAside(pending.get(id) as T, misfit)
  }
  return { ordered, aside }
}

function byRank(a: Ranked, b: Ranked): number {
  if (a.origin !== b.origin && (a.origin === "package" || b.origin === "package")) return a.origin === "package" ? 1 : -1
  return a.manifest.id < b.manifest.id ? -1 : 1
}

function findCycle<T extends { manifest: Manifest }>(pending: ReadonlyMap<string, T>, needs: (manifest: Manifest) => string[]): string[] {
  const path: string[] = []
  let id = [...pending.keys()][0] as string
  while (!path.includes(id)) {
    path.push(id)
    id = needs((pending.get(id) as T).manifest).find((other) => pending.has(other)) ?? id
  }
  return path.slice(path.indexOf(id))
}
