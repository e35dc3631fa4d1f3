import { hash, randomBytes } from "node:crypto"
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { fail } from "./failures.ts"

/** Told to every node when the newest key is another, when nothing is sealed with an older one any more, and when one was dropped. */
export const encryptionChanged = "kernel.encryption_changed"

/** Where the encryption keys come from; of 32 bytes, the newest first. */
export interface KeySource {
  /** Undefined: the environment names the newest, and no command can make another. */
  readonly file: string | undefined
  read(): readonly Buffer[]
}

export interface EncryptionKey {
  /** Names it where it must not be shown: the beginning of its hash, in hex. */
  readonly id: string
  readonly bytes: Buffer
}

/** A file that only its owner reads, one key a line in hex; made with a first one when it is absent. `others` are read besides. */
export function keyFile(file: string, others: readonly Buffer[]): KeySource {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    try {
      writeFileSync(file, randomBytes(32).toString("hex"), { mode: 0o600, flag: "wx" })
    } catch (error) {
      // Two processes may start at once on one new folder: the first one's key counts.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
    }
  }
  return { file, read: () => [...keysIn(file), ...others] }
}

export function keysIn(file: string): Buffer[] {
  return readFileSync(file, "utf8")
    .split(/\s+/)
    .filter(Boolean)
    .map((line) => Buffer.from(line, "hex"))
}

/** All or nothing, and on the disk when it returns: a key that is lost takes every secret with it. */
export function writeKeys(file: string, keys: readonly Buffer[]): void {
  const aside = `${file}.new`
  const handle = openSync(aside, "w", 0o600)
  try {
    writeFileSync(handle, keys.map((key) => `${key.toString("hex")}\n`).join(""))
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(aside, file)
}

export function keyIdOf(bytes: Buffer): string {
  return hash("sha256", bytes, "hex").slice(0, 8)
}

/** The keys of this node. New secrets are sealed with the newest; older ones open what is not sealed anew yet. */
export class KeyRing {
  readonly source: KeySource
  #keys: readonly EncryptionKey[] = []
  /** What the database's secrets are sealed with, and this node has not. */
  #lacks: string | undefined
  #readAt = 0

  constructor(source: KeySource) {
    this.source = source
    this.reload()
  }

  get keys(): readonly EncryptionKey[] {
    return this.#keys
  }

  /** Throws while this node is behind the others: what it sealed they could not open for long. */
  get newest(): EncryptionKey {
    if (this.#lacks !== undefined) throw missing(this.#lacks, this.#keys)
    return this.#keys[0] as EncryptionKey
  }

  /** A key that was put into the file meanwhile is found. Throws `kernel.encryption_key_missing` otherwise. */
  find(id: string): EncryptionKey {
    const known = this.#known(id)
    if (known) return known
    // At most once a second: whoever asks may ask often.
    if (performance.now() - this.#readAt > 1_000) this.reload()
    const found = this.#known(id)
    if (!found) throw missing(id, this.#keys)
    return found
  }

  /** The database's secrets are sealed with that key from now on. False when this node has not got it. */
  follow(id: string): boolean {
    this.reload()
    this.#lacks = this.#known(id) ? undefined : id
    return this.#lacks === undefined
  }

  reload(): void {
    this.#readAt = performance.now()
    this.#keys = this.source.read().map((bytes) => ({ id: keyIdOf(bytes), bytes }))
    if (this.#lacks !== undefined && this.#known(this.#lacks)) this.#lacks = undefined
  }

  #known(id: string): EncryptionKey | undefined {
    return this.#keys.find((key) => key.id === id)
  }
}

function missing(id: string, keys: readonly EncryptionKey[]): Error {
  return fail("encryption_key_missing", { key: id, has: keys.map((key) => key.id).join(", ") })
}
