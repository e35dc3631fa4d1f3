import { type Host, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { manifest } from "./manifest.ts"

const Reaped = Type.Object({ count: Type.Integer() })

/** Keeps what this node's calls have set aside, and settles what gateways that are gone have left. A node whose calls have no budgets asks once, at its start. */
export function createLeases(host: Host<typeof manifest>, boot: string, { isHolding, isAsked }: { isHolding(): boolean; isAsked(): boolean }) {
  const { leaseSeconds } = host.config
  const { id: node } = host.node
  let timer: NodeJS.Timeout | undefined

  async function reap(): Promise<void> {
    const { count } = await host.db.unbound.one(sql.type(row(Reaped))`SELECT budgets.reap(${node}, ${boot}) AS count`)
    if (count > 0) host.log.warn({ calls: count }, "calls of a gateway that is gone count as what they had set aside")
  }

  async function round(): Promise<void> {
    if (isHolding()) await host.db.unbound.query(sql.type(row(Type.Object({})))`SELECT budgets.renew_leases(${node}, ${boot}, ${leaseSeconds})`)
    if (isAsked()) await reap()
  }

  return {
    async start(): Promise<void> {
      await reap()
      timer = setInterval(
        () => {
          round().catch((err: unknown) => host.log.debug({ err }, "leases not renewed; the next round tries again"))
        },
        (leaseSeconds * 1_000) / 3,
      )
      timer.unref()
    },
    stop: () => clearInterval(timer),
  }
}
