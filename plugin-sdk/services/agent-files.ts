import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"

/** The files of an agent, and no others. In prompts they stand in this order; `HEARTBEAT.md` is for turns by the clock. */
export const agentFileNames = ["AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md", "USER_PREDEFINED.md", "CAPABILITIES.md", "BOOTSTRAP.md", "MEMORY.json", "HEARTBEAT.md"] as const
export type AgentFileName = (typeof agentFileNames)[number]

export interface AgentFile {
  name: AgentFileName
  content: string
}
/** What `IDENTITY.md` says; absent where it says nothing. */
export interface AgentIdentity {
  name?: string
  emoji?: string
  avatar?: string
  description?: string
}

/** Reads files as a user has them: of an `open` agent the user's own copies, of a `predefined` one the agent's, with a `USER.md` for each user. Warm look-ups touch no database. */
export interface AgentFilesService {
  /** Empty when there is no such file. */
  read(caller: Caller, agentId: string, name: AgentFileName): Promise<string>
  identity(caller: Caller, agentId: string): Promise<AgentIdentity>
  /** Writes `HEARTBEAT.md` of the agent itself. The caller is not judged. */
  setChecklist(caller: Caller, agentId: string, content: string): Promise<void>
}
export const AgentFiles = service<AgentFilesService>("agent-files", "1.0.0")

/**
 * Files of the agent itself, from which open agents' copies are made. The caller is not judged: for what an owner or an admin has asked for.
 * No tool may use it: what a model was told to write would be who the agent is from then on.
 */
export interface AgentFileStoreService {
  /** In the order of `agentFileNames`. */
  all(caller: Caller, agentId: string): Promise<AgentFile[]>
  /** In the caller's transaction, if there is one. */
  write(caller: Caller, agentId: string, files: readonly AgentFile[]): Promise<void>
}
export const AgentFileStore = service<AgentFileStoreService>("agent-file-store", "1.0.0")
