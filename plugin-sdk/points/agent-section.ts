import type { TSchema } from "typebox"
import type { Caller } from "../caller.ts"
import { extensionPoint } from "../tokens.ts"
import type { AgentRef } from "./agent-part.ts"

/** A part of an agent that goes into its export and comes out of an import. Contribute under its name in archives: `memory`, `cron` and so on. */
export interface AgentSection {
  /** What an entry looks like. Entries of an archive that do not fit are refused, with all of it, before `write` is called. */
  entry?: TSchema
  /** How much of it an agent has, by the wire's names: `{ memory_global: 3, memory_per_user: 12 }`. */
  counts(caller: Caller, agent: AgentRef): Promise<Record<string, number>>
  /** Its entries as plain JSON, without secrets. Read as they are asked for: an agent may have more than fits in memory. */
  read(caller: Caller, agent: AgentRef): AsyncIterable<Readonly<Record<string, unknown>>>
  /** Adds entries of an archive, in the caller's transaction, to an agent that others do not see yet. They may come from anybody: what does not fit is to be refused. Answers what was added, by the wire's names: `{ memory_docs: 12 }`. */
  write(caller: Caller, agent: AgentRef, entries: readonly unknown[]): Promise<Record<string, number>>
}
export const AgentSections = extensionPoint<AgentSection>("agent-sections", "1.1.0")
