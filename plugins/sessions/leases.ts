import { type Caller, type Host, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { manifest } from "./manifest.ts"

const Count = Type.Object({ count: Type.Integer() })
const Ended = Type.Object({
  tenant_id: Type.String(),
  run_id: Type.String(),
  session_key: Type.String(),
  agent_key: Type.String(),
  user_id: Type.String(),
  channel: Type.String(),
  chat_id: Type.String(),
})

/** Keeps this node's runs alive, and ends those of nodes that are gone: after a crash a run is `interrupted`, never `running`. */
export function createLeases(host: Host<typeof manifest>): { start(): Promise<void>; stop(): void } {
  const { id: node, boot } = host.node
  let timer: NodeJS.Timeout | undefined

  async function renew(): Promise<void> {
    await host.db.unbound.one(sql.type(row(Count))`SELECT sessions.renew_leases(${node}, ${boot}, ${host.config.leaseSeconds}) AS count`)
  }

  async function reap(): Promise<void> {
    const ended = await host.db.unbound.any(sql.type(row(Ended))`SELECT tenant_id, run_id, session_key, agent_key, user_id, channel, chat_id FROM sessions.reap(${node}, ${boot})`)
    for (const run of ended) {
      host.log.warn({ run: run.run_id, tenant: run.tenant_id, agent: run.agent_key }, "run interrupted: its gateway stopped")
      const caller: Caller = { tenantId: run.tenant_id, tenantSlug: "", userId: run.user_id, role: "viewer", scopes: [], locale: "en", via: "system" }
      host.events.publish(caller, "sessions.interrupted", {
        runId: run.run_id,
        sessionKey: run.session_key,
        agentKey: run.agent_key,
        userId: run.user_id,
        channel: run.channel,
        chatId: run.chat_id,
      })
    }
  }

  return {
    async start() {
      await reap()
      timer = setInterval(
        () => {
          renew()
            .then(reap)
            .catch((err: unknown) => host.log.debug({ err }, "leases not renewed; the next round tries again"))
        },
        (host.config.leaseSeconds * 1_000) / 3,
      )
      timer.unref()
    },
    stop: () => clearInterval(timer),
  }
}
