import type { Caller, Host } from "@plugboard/sdk"
import { insertHours, moveProgress, progressOf } from "./hours.ts"
import type { manifest } from "./manifest.ts"
import { hourOf } from "./period.ts"
import { type Counted, createSources } from "./sources.ts"

const hourMs = 3_600_000
/** An hour is over for good so long after its end, in ms: what was about to be stored has been stored, and clocks differ. */
const settlingMs = 300_000
/** So much is added up in one transaction, in ms. */
const stepMs = 24 * hourMs
/** Rows of one statement. */
const chunk = 2_000
/** A report that finds more than this not added up, in ms, has it added up first: it may be what a whole year has left. */
const tailMs = 2 * hourMs
const beginning = "1970-01-01T00:00:00Z"
const forever = "9999-01-01T00:00:00Z"
const textOf = (at: number) => new Date(at).toISOString()

/** What no hour holds yet: groups of `upTo` and later. */
export interface Tail {
  upTo: string
  groups: readonly Counted[]
}

/** Adds up hours that are over, from the records of other plugins. What is not added up yet is read from the records themselves, so that a report lacks nothing. */
export function createAddingUp(host: Host<typeof manifest>) {
  const sources = createSources(host)
  const working = new Map<string, Promise<void>>()

  async function step(caller: Caller, upTo: string | null, over: number): Promise<boolean> {
    const first = await sources.first(caller, upTo ?? beginning)
    const begin = first === null ? over : Math.min(hourOf(Date.parse(first)), over)
    const end = Math.min(begin + stepMs, over)
    const groups = begin < end ? await sources.between(caller, textOf(begin), textOf(end)) : []
    await host.db.for(caller).transaction(async (tx) => {
      if (!(await moveProgress(tx, upTo, textOf(end)))) return
      for (let at = 0; at < groups.length; at += chunk) await insertHours(tx, groups.slice(at, at + chunk))
    })
    return end < over
  }

  async function toDate(caller: Caller): Promise<void> {
    const over = hourOf(Date.now() - settlingMs)
    for (let more = true; more; ) {
      const upTo = await progressOf(host.db.for(caller))
      more = (upTo === null || Date.parse(upTo) < over) && (await step(caller, upTo, over))
    }
  }

  /** Once at a time for each tenant; whoever comes meanwhile waits for the same. */
  function addUp(caller: Caller): Promise<void> {
    const under = working.get(caller.tenantId)
    if (under) return under
    const work = toDate(caller).finally(() => working.delete(caller.tenantId))
    working.set(caller.tenantId, work)
    return work
  }

  return {
    addUp,
    async tail(caller: Caller): Promise<Tail> {
      let upTo = await progressOf(host.db.for(caller))
      if (upTo === null || Date.now() - Date.parse(upTo) > tailMs) {
        await addUp(caller)
        upTo = (await progressOf(host.db.for(caller))) ?? beginning
      }
      return { upTo, groups: await sources.between(caller, upTo, forever) }
    },
  }
}
