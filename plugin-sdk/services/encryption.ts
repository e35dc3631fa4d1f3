import type { Caller } from "../caller.ts"
import { service } from "../tokens.ts"

export interface EncryptionKeyState {
  /** The beginning of the key's hash. The key itself is never shown. */
  id: string
  /** Secrets are sealed with it from now on. */
  newest: boolean
  /** Stored secrets that are sealed with it. */
  secrets: number
}
/** The last rotation, which seals every stored secret anew. `interrupted`: its gateway has ended; `plugboard keys rotate` goes on with it, and so does the next start. */
export interface EncryptionRotation {
  key: string
  state: "running" | "interrupted" | "done"
  total: number
  resealed: number
  began_at: string
  finished_at: string | null
}
export interface EncryptionState {
  /** `environment`: nobody can make or drop one but by starting each node with others. */
  source: "file" | "environment"
  keys: EncryptionKeyState[]
  /** Null while there has been none. */
  rotation: EncryptionRotation | null
}

/** The keys that secrets are sealed with at rest. Owners only. */
export interface EncryptionService {
  /** Looks through every table that may hold secrets. */
  status(caller: Caller): Promise<EncryptionState>
  /** Looks at none. */
  rotation(caller: Caller): Promise<EncryptionRotation | null>
  /** Makes a key, unless older ones are still there, and begins to seal every stored secret with the newest. Answers at once; `rotation` tells how far it is. */
  rotate(caller: Caller): Promise<EncryptionRotation>
  /** Fails with `kernel.encryption_key_in_use` while a secret is sealed with it, unless `force`. */
  drop(caller: Caller, key: string, force: boolean): Promise<EncryptionState>
}
export const Encryption = service<EncryptionService>("kernel.encryption", "1.0.0")
