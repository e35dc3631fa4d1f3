import type { Caller } from "../caller.ts"
import { extensionPoint } from "../tokens.ts"

/** An agent as what belongs to it knows it. */
export interface AgentRef {
  id: string
  key: string
}

/** What a plugin keeps of agents: it goes when its agent goes. Contribute under the plugin's id. */
export interface AgentPart {
  /** The agent is removed: in the caller's transaction, also for a tenant that does without the plugin. */
  remove(caller: Caller, agent: AgentRef): Promise<void>
  /** The agent is shown under another name, in the caller's transaction. */
  renamed?(caller: Caller, agent: AgentRef, displayName: string): Promise<void>
}
export const AgentParts = extensionPoint<AgentPart>("agent-parts", "1.0.0")
