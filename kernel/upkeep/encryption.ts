import { randomBytes } from "node:crypto"
import { type Caller, type EncryptionRotation, type EncryptionService, type EncryptionState, hasRole, type Manifest, row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import type { Database } from "../db/database.ts"
import { fail } from "../failures.ts"
import { encryptionChanged, type KeyRing, keyIdOf, keysIn, writeKeys } from "../key-ring.ts"
import type { GatewayLog } from "../log.ts"
import { allPackages } from "../packages/store.ts"
import type { SecretBox } from "../secrets.ts"
import { reseal } from "./reseal.ts"
import { countSealed, sealedColumns } from "./sealed-columns.ts"

export interface EncryptionRooms {
  db: Database
  ring: KeyRing
  secrets: SecretBox
  log: GatewayLog
  /** Of every plugin that comes with the gateway, on or off. */
  manifests(): Promise<readonly Manifest[]>
}

const Rotation = row(
  Type.Object({ key: Type.String(), total: Type.Integer(), resealed: Type.Integer(), began_at: Type.String(), finished_at: Type.Union([Type.String(), Type.Null()]) }),
)

/** The keys that secrets are sealed with. A rotation goes through the tables in the background, and is begun by `rotate` and by `resume`; wherever it is cut off, it finds what is left. */
export class Encryption implements EncryptionService {
  readonly #rooms: EncryptionRooms
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(rooms: EncryptionRooms) {
    this.#rooms = rooms
  }

  async status(caller: Caller): Promise<EncryptionState> {
    demandOwner(caller)
    const { db, ring } = this.#rooms
    const counts = await countSealed(db.inside.pool, await this.#columns())
    const secrets = (key: string) => counts.filter((one) => one.key === key).reduce((sum, { count }) => sum + count, 0)
    const known = ring.keys.map(({ id }) => id)
    const keys = [...new Set([...known, ...counts.map(({ key }) => key)])]
    return {
      source: ring.source.file === undefined ? "environment" : "file",
      keys: keys.map((id) => ({ id, newest: id === known[0], secrets: secrets(id) })),
      rotation: await this.#rotation(),
    }
  }

  async rotation(caller: Caller): Promise<EncryptionRotation | null> {
    demandOwner(caller)
    return this.#rotation()
  }

  async rotate(caller: Caller): Promise<EncryptionRotation> {
    demandOwner(caller)
    const { db, ring } = this.#rooms
    if (!this.#running) {
      const counts = await countSealed(db.inside.pool, await this.#columns())
      // Somebody's own keys, and this database's: all other nodes would be without.
      const [stranger] = counts
      if (stranger && !counts.some(({ key }) => ring.keys.some(({ id }) => id === key))) ring.find(stranger.key)
      // Older keys are there: a rotation was begun, or the environment names them. They go before there is another.
      const added = ring.keys.length === 1
      if (added) this.#addKey()
      const key = ring.newest.id
      const total = counts.filter((one) => one.key !== key && ring.keys.some(({ id }) => id === one.key)).reduce((sum, { count }) => sum + count, 0)
      await db.kernel.transaction(async (tx) => {
        await tx.query(sql.type(row(Type.Object({})))`
          INSERT INTO kernel.encryption (key_id, total) VALUES (${key}, ${total})
          ON CONFLICT (one) DO UPDATE SET key_id = excluded.key_id, total = excluded.total, resealed = 0, began_at = now(), finished_at = NULL`)
        tx.audit(caller, { action: "encryption_key.rotated", entityType: "encryption_key", entityId: key, details: { secrets: total, made: added } })
        tx.publish(encryptionChanged, { key })
      })
      this.#begin()
    }
    return (await this.#rotation()) as EncryptionRotation
  }

  async drop(caller: Caller, key: string, force: boolean): Promise<EncryptionState> {
    demandOwner(caller)
    const { db, ring } = this.#rooms
    const newest = ring.newest.id
    if (key === newest) throw fail("encryption_key_newest", { key })
    const left = (await countSealed(db.inside.pool, await this.#columns())).filter((one) => one.key === key)
    if (left.length === 0 && !ring.keys.some(({ id }) => id === key)) throw fail("unknown_encryption_key", { key })
    const values = left.reduce((sum, { count }) => sum + count, 0)
    if (values > 0 && !force) throw fail("encryption_key_in_use", { key, values, where: [...new Set(left.map(({ column }) => column))].join(", ") })
    const { file } = ring.source
    if (file !== undefined)
      writeKeys(
        file,
        keysIn(file).filter((bytes) => keyIdOf(bytes) !== key),
      )
    ring.reload()
    await db.kernel.transaction(async (tx) => {
      await tx.query(sql.type(row(Type.Object({})))`UPDATE kernel.encryption SET key_id = ${newest} WHERE key_id = ${key}`)
      tx.audit(caller, { action: "encryption_key.dropped", entityType: "encryption_key", entityId: key, details: { lost: values } })
      tx.publish(encryptionChanged, { key: newest })
    })
    // Logins of plugins come back with another password.
    if (values > 0) await db.inside.pool.run("owner", sql.type(row(Type.Object({})))`UPDATE _sandbox.word SET login = NULL WHERE login LIKE ${`v2:${key}:%`}`)
    return this.status(caller)
  }

  /** Goes on with what was cut off. */
  async resume(): Promise<void> {
    if (this.#rooms.ring.keys.length > 1 && (await this.#row())?.finished_at === null) this.#begin()
  }

  /** Resolves when the rotation that is under way has come to its end. */
  async settled(): Promise<void> {
    await this.#running
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  #addKey(): void {
    const { ring } = this.#rooms
    const { file } = ring.source
    if (file === undefined) throw fail("encryption_key_fixed")
    // What older releases read of the file is its first line.
    writeKeys(file, [randomBytes(32), ...keysIn(file)])
    ring.reload()
  }

  #begin(): void {
    const { log } = this.#rooms
    this.#running ??= this.#resealAll()
      .catch((err: unknown) => log.error({ err }, "secrets not sealed anew; the next rotation or start goes on with it"))
      .finally(() => {
        this.#running = undefined
      })
  }

  async #resealAll(): Promise<void> {
    const { db, ring, secrets, log } = this.#rooms
    const { signal } = this.#stopping
    const key = ring.newest.id
    const older = ring.keys.map(({ id }) => id).filter((id) => id !== key)
    log.info({ key, older }, "secrets are sealed anew")
    // A node that has not followed yet may have sealed one meanwhile: it is done when a whole round finds none.
    for (let changed = 1; changed > 0 && !signal.aborted && older.length > 0; ) {
      changed = 0
      for (const column of await this.#columns()) changed += await reseal(db.inside.pool, column, older, secrets, signal)
    }
    if (signal.aborted) return
    await db.kernel.transaction(async (tx) => {
      await tx.query(sql.type(row(Type.Object({})))`UPDATE kernel.encryption SET finished_at = now() WHERE key_id = ${key}`)
      tx.publish(encryptionChanged, { key })
    })
    log.info({ key }, "every secret is sealed with the newest key")
  }

  async #columns() {
    const { db, manifests } = this.#rooms
    const packaged = (await allPackages(db.kernel)).map(({ contents }) => contents.manifest)
    return sealedColumns(db.inside.pool.run, [...packaged, ...(await manifests())])
  }

  async #row() {
    return this.#rooms.db.kernel.maybeOne(sql.type(Rotation)`SELECT key_id AS key, total, resealed, began_at, finished_at FROM kernel.encryption`)
  }

  async #rotation(): Promise<EncryptionRotation | null> {
    const found = await this.#row()
    return found && { ...found, state: found.finished_at !== null ? "done" : this.#running ? "running" : "interrupted" }
  }
}

function demandOwner(caller: Caller): void {
  if (!hasRole(caller, "owner")) throw fail("encryption_for_owners")
}
