import { Agents, type Caller, type Host, seesAll } from "@plugboard/sdk"
import type { Static } from "typebox"
import { lookUp } from "./access.ts"
import type { manifest } from "./manifest.ts"
import { type Draft, draftsOf } from "./timeline-items.ts"
import { findRun, stepsOf, type TimedRun, textsOf } from "./timeline-store.ts"
import type { TimelineItem } from "./timeline-wire.ts"

const previewChars = 2_000
const contentChars = 10_000
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export interface Timeline {
  runId: string
  sessionKey: string
  items: Static<typeof TimelineItem>[]
}

/** What a run did. Another user's run is as unknown as none: who knows an id learns nothing by it. */
export function createTimelines(host: Host<typeof manifest>) {
  return async function timeline(caller: Caller, runId: string | undefined, sessionKey: string | undefined, page: { limit: number; offset: number }): Promise<Timeline> {
    if (!runId && !sessionKey) throw host.fail("no_run_named", {})
    const unknown = () => host.fail("unknown_run", { run: (runId || sessionKey || "").slice(0, 100) })
    if (runId && !uuid.test(runId)) throw unknown()
    const db = host.db.for(caller)
    if (!runId && sessionKey && !(await lookUp(host, caller, sessionKey)) && !seesAll(caller)) throw unknown()
    const run = await findRun(db, runId || null, sessionKey || null)
    if (!run && !runId && sessionKey) return { runId: "", sessionKey, items: [] }
    if (!run || (caller.userId !== run.owner_id && caller.userId !== run.user_id && !seesAll(caller))) throw unknown()
    const drafts = draftsOf(run, run.place === null ? [] : await stepsOf(db, run))
    const shown = drafts.slice(page.offset, page.offset + page.limit)
    const ids = [...new Set(shown.flatMap(({ from }) => from?.message ?? []))]
    const texts = ids.length === 0 ? [] : await textsOf(db, ids, contentChars)
    const byId = new Map(texts.map((text) => [text.id, text]))
    const said = ({ text, from }: Draft): string => {
      if (!from) return text ?? ""
      const message = byId.get(from.message)
      if (from.call === undefined) return message?.content ?? ""
      return message?.calls?.find(({ id }) => id === from.call)?.arguments ?? ""
    }
    const agent = host.has(Agents) ? await host.use(Agents).resolve(caller, run.agent_key) : null
    return { runId: run.id, sessionKey: run.session_key, items: shown.map((draft, at) => itemOf(caller, run, agent?.id, draft, page.offset + at, said(draft))) }
  }
}

function itemOf(caller: Caller, run: TimedRun, agentId: string | undefined, draft: Draft, seq: number, text: string): Static<typeof TimelineItem> {
  const { text: _, from: __, ...rest } = draft
  return {
    id: `${run.id}-${seq}`,
    tenant_id: caller.tenantId,
    run_id: run.id,
    session_key: run.session_key,
    ...(agentId && { agent_id: agentId }),
    user_id: run.user_id,
    channel: run.channel,
    chat_id: run.chat_id,
    seq,
    ...rest,
    preview: text.slice(0, previewChars),
    ...(text.length > previewChars && { content: text }),
  }
}
