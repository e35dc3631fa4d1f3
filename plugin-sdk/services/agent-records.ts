import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"
import type { AgentProfile } from "./agents.ts"

/** Agents as the wire has them, for what moves them about. The rules of the routes hold: who may see and change one, which keys are free. */
export interface AgentRecordsService {
  /** Only for its owner and admins. */
  show(caller: Caller, ref: string): Promise<Record<string, unknown>>
  /** Fields as the routes take them; each is checked. `key`: that one and no other; otherwise a free one is made of what the fields say. Admins only. */
  create(caller: Caller, fields: Readonly<Record<string, unknown>>, key: string | undefined): Promise<AgentProfile>
  /** All fields but its key. */
  update(caller: Caller, ref: string, fields: Readonly<Record<string, unknown>>): Promise<AgentProfile>
}
export const AgentRecords = service<AgentRecordsService>("agent-records", "1.0.0")
