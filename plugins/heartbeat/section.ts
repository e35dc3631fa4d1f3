import { type AgentSection, type Host, Providers } from "@plugboard/sdk"
import type { Static } from "typebox"
import type { Heartbeats } from "./heartbeats.ts"
import { type manifest, Settings } from "./manifest.ts"
import { findOfAgent } from "./store.ts"

/** An agent's heartbeat in its export. Where beats are told does not travel, and a provider that the tenant does not have is left out. */
export function createSection(host: Host<typeof manifest>, heartbeats: Heartbeats): AgentSection {
  return {
    entry: Settings,
    counts: async (caller, { id }) => ({ heartbeats: (await findOfAgent(host.db.for(caller), id)) ? 1 : 0 }),
    async *read(caller, { id }) {
      const found = await findOfAgent(host.db.for(caller), id)
      if (!found) return
      yield {
        ...{ enabled: found.enabled, intervalSec: found.interval_sec, prompt: found.prompt, providerName: found.provider_name, model: found.model },
        ...{ isolatedSession: found.isolated_session, lightContext: found.light_context, ackMaxChars: found.ack_max_chars, maxRetries: found.max_retries },
        ...{ activeHoursStart: found.active_hours_start, activeHoursEnd: found.active_hours_end, timezone: found.timezone },
      }
    },
    async write(caller, agent, entries) {
      for (const { channel: _, chatId: __, ...change } of entries as Static<typeof Settings>[]) {
        const isKnown = !change.providerName || !host.has(Providers) || (await host.use(Providers).facts(caller, change.providerName))
        await heartbeats.write(caller, agent, isKnown ? change : { ...change, providerName: "", model: "" }, "heartbeat.set")
      }
      return { heartbeats: Math.min(entries.length, 1) }
    },
  }
}
