import { Backups, type Caller, type Host } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

/** In decimal units, as disks have them. */
export function human(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"]
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1)
  return `${Number((bytes / 1_000 ** power).toFixed(1))} ${units[power]}`
}

export function createRoom(host: Host<typeof manifest>) {
  const backups = host.use(Backups)
  /** On disk for a moment: a copy of the embedded database's files, and the backup, which is smaller. */
  const needed = (databaseBytes: number) => 2 * databaseBytes

  return {
    async demand(caller: Caller): Promise<void> {
      const { databaseBytes, freeBytes } = await backups.room(caller)
      if (freeBytes < needed(databaseBytes)) throw host.fail("little_room", { free: human(freeBytes), needed: human(needed(databaseBytes)) })
    },
    async preflight(caller: Caller) {
      const { databaseBytes, dataFolderBytes, freeBytes } = await backups.room(caller)
      const disk_space_ok = freeBytes >= needed(databaseBytes)
      const warning = disk_space_ok ? null : await host.describe(host.fail("little_room", { free: human(freeBytes), needed: human(needed(databaseBytes)) }), caller.locale)
      return {
        pg_dump_available: true,
        disk_space_ok,
        db_size_bytes: databaseBytes,
        db_size_human: human(databaseBytes),
        free_disk_bytes: freeBytes,
        free_disk_human: human(freeBytes),
        data_dir_size_bytes: dataFolderBytes,
        data_dir_size_human: human(dataFolderBytes),
        workspace_size_bytes: 0,
        workspace_size_human: human(0),
        warnings: warning === null ? [] : [warning],
      }
    },
  }
}
