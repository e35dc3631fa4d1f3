import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"

export interface BackupsService {
  /** A copy of the embedded database's files, for whoever may read the data folder; null on a server, which is read by itself. Owners only. */
  snapshot(caller: Caller): Promise<{ folder: string | null }>
}
export const Backups = service<BackupsService>("kernel.backups", "1.0.0")
