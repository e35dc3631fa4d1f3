import { AgentFileStore, AgentFiles, type Caller, type Host } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

const file = "HEARTBEAT.md"

/** What an agent goes through at each beat: one for the agent, whoever its users are. */
export function createChecklists(host: Host<typeof manifest>) {
  return {
    async read(caller: Caller, agentId: string): Promise<string> {
      const files = await host.use(AgentFileStore).all(caller, agentId)
      return files.find(({ name }) => name === file)?.content ?? ""
    },
    async write(caller: Caller, agentId: string, content: string): Promise<void> {
      await host.db.for(caller).transaction(async (tx) => {
        await host.use(AgentFiles).setChecklist(caller, agentId, content)
        tx.audit({ action: "heartbeat.checklist.set", entityType: "heartbeat", entityId: agentId, details: { length: content.length } })
      })
    },
  }
}
export type Checklists = ReturnType<typeof createChecklists>
