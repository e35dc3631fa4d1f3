import { row, sql } from "@plugboard/sdk"
import { Type } from "typebox"
import { fieldsOf, type GatewayConfig, type Settings } from "../config.ts"
import type { Database } from "../db/database.ts"
import type { EventBus } from "../events.ts"
import type { GatewayLog } from "../log.ts"
import { mergeSettings } from "../packages/settings.ts"

/** Told to every node with each change. */
export const settingsEvent = "kernel.settings_changed"

/** How long after a failure to read them this node tries again, in ms. */
const retryMs = 2_000

export interface LiveSettingsRooms {
  db: Pick<Database, "kernel">
  bus: EventBus
  log: GatewayLog
  /** Changed in place: whoever reads it at each use goes by what is in force. */
  config: GatewayConfig
  stopping: AbortSignal
}

/** Settings that hold for all nodes, under what this node's file and environment say of them. */
export class LiveSettings {
  readonly #rooms: LiveSettingsRooms
  readonly #listeners: (() => void)[] = []
  #turn: Promise<void> = Promise.resolve()

  constructor(rooms: LiveSettingsRooms) {
    this.#rooms = rooms
    rooms.bus.subscribe(settingsEvent, () => this.#pursue())
  }

  /** Called after each change. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Resolves when this node is where the database was at the call, or later. */
  follow(): Promise<void> {
    const mine = this.#turn.then(() => this.#read())
    this.#turn = mine.catch(() => undefined)
    return mine
  }

  #pursue(): void {
    this.follow().catch((err: unknown) => {
      if (this.#rooms.stopping.aborted) return
      this.#rooms.log.warn({ err, retryMs }, "settings not brought up to date; trying again")
      setTimeout(() => this.#pursue(), retryMs).unref()
    })
  }

  async #read(): Promise<void> {
    const { db, config, log } = this.#rooms
    const stored = await storedSettings(db.kernel)
    Object.assign(config, fieldsOf(mergeSettings(stored, config.named)))
    log.lines.level = config.logLevel
    for (const tell of this.#listeners) tell()
  }
}

const Stored = row(Type.Object({ document: Type.Unsafe<Settings>(Type.Object({})) }))

export async function storedSettings(db: Pick<Database["kernel"], "maybeOne">): Promise<Settings> {
  return (await db.maybeOne(sql.type(Stored)`SELECT document FROM kernel.settings`))?.document ?? {}
}
