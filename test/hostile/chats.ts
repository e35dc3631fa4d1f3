import { deepEqual, ok } from "node:assert/strict"
import type { TestGateway } from "@plugboard/sdk/testing"

export interface Chats {
  /** How long each took, in ms. */
  readonly took: readonly number[]
  /** Ends them; fails when one of them was not answered. */
  end(): Promise<void>
}

/** Chats one after the other, for as long as a test lasts. */
export function keepChatting(gateway: TestGateway, pauseMs = 50): Chats {
  const took: number[] = []
  const failed: string[] = []
  let over = false
  async function chat(): Promise<void> {
    const client = await gateway.as("operator", "master", "chatter")
    while (!over) {
      const began = performance.now()
      const { status, body } = await client.post("/v1/chat/completions", { messages: [{ role: "user", content: "/say yes" }] })
      took.push(performance.now() - began)
      if (status !== 200 || body.choices?.[0]?.message?.content !== "yes") failed.push(`${status} ${JSON.stringify(body).slice(0, 300)}`)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
  const going = chat().catch((error: Error) => void failed.push(error.message))
  return {
    took,
    async end() {
      over = true
      await going
      deepEqual(failed.slice(0, 3), [])
      ok(took.length > 0)
    },
  }
}

/** What of a plugin was refused, as the audit log of the tenants has it. Waits for the first entry that fits. */
export async function refusalIn(gateway: TestGateway, plugin: string, what: RegExp): Promise<string> {
  for (let tries = 0; ; tries++) {
    const { rows } = await gateway.executeSql("SELECT details->>'what' AS what FROM kernel.activity WHERE action = 'plugin.refused' AND entity_id = $1", [plugin])
    const found = rows.map((row) => String(row.what)).find((one) => what.test(one))
    if (found !== undefined) return found
    if (tries >= 50) throw new Error(`no refusal of ${plugin} is like ${what}; there are: ${rows.map((row) => row.what).join("; ")}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
