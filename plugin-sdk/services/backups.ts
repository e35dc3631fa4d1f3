import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"

export interface BackupDone {
  id: string
  /** On this node; gone after an hour. */
  path: string
  bytes: number
  tables: number
  rows: number
  /** Plugins whose tables are left out, since their packages are gone. */
  left: string[]
}

/** For owners only; one copy or backup at a time. */
export interface BackupsService {
  /** A copy of the embedded database's files, for whoever may read the data folder; null on a server, which is read by itself. */
  snapshot(caller: Caller): Promise<{ folder: string | null }>
  /** All in bytes: what there is to back up, and the room that is left on the data folder's disk. */
  room(caller: Caller): Promise<{ databaseBytes: number; dataFolderBytes: number; freeBytes: number }>
  /** Everything as it is at one moment, without the encryption key. */
  write(caller: Caller): Promise<BackupDone>
  /** Path of a backup that this node has written lately. */
  find(caller: Caller, id: string): Promise<string | null>
}
export const Backups = service<BackupsService>("kernel.backups", "1.1.0")
