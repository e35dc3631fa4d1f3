import type { Caller, Host } from "@plugboard/sdk"
import { deleteFile, listFiles, readFile, spaceOf, writeFile } from "./files.ts"
import type { manifest } from "./manifest.ts"
import { lockTeam, type TeamRow } from "./roster.ts"

/** Source: wire contract, websocket 4.17. */
const mostChars = 500_000
const nameForm = /^[^\p{Cc}]{1,255}$/u

/** Files of teams: texts in the database, bounded by the team's quota. */
export function createWorkspace(host: Host<typeof manifest>) {
  function checked(name: string): string {
    if (!nameForm.test(name) || name.includes("..") || name.includes("\\") || name.split("/").some((part) => part === "" || part === ".")) throw host.fail("bad_file_name", {})
    return name
  }
  const unknown = (file: string) => host.fail("unknown_file", { file: file.slice(0, 200) })
  function change(caller: Caller, team: TeamRow, chatId: string, name: string, action: "written" | "deleted", work: (tx: Parameters<typeof writeFile>[0]) => Promise<void>) {
    return host.db.for(caller).transaction(async (tx) => {
      await lockTeam(tx, team.id)
      await work(tx)
      tx.audit({ action: `team_file.${action}`, entityType: "team", entityId: team.id, details: { chat: chatId, file: name } })
      tx.publish("workspace.file.changed", { team_id: team.id, chat_id: chatId, file_name: name, action })
    })
  }

  return {
    /** Where the files of a conversation with the team are. */
    placeOf: (team: TeamRow, chatId: string) => (team.settings.workspace_scope === "isolated" ? chatId : ""),
    list: (caller: Caller, team: TeamRow, chatId: string | null) => listFiles(host.db.for(caller), team.id, chatId),
    async read(caller: Caller, team: TeamRow, chatId: string, name: string, maxChars = mostChars) {
      const found = await readFile(host.db.for(caller), team.id, chatId, checked(name), maxChars)
      if (!found) throw unknown(name)
      const { content, ...file } = found
      return { file, content }
    },
    async write(caller: Caller, team: TeamRow, chatId: string, name: string, content: string): Promise<void> {
      checked(name)
      if (content.length > mostChars) throw host.fail("quota", { megabytes: 1 })
      const megabytes = team.settings.workspace_quota_mb || host.config.workspaceMb
      const size = Buffer.byteLength(content)
      await change(caller, team, chatId, name, "written", async (tx) => {
        const { files, bytes } = await spaceOf(tx, team.id, chatId, name)
        if (files >= host.config.maxFiles) throw host.fail("too_many", { most: host.config.maxFiles })
        if (bytes + size > megabytes * 1024 * 1024) throw host.fail("quota", { megabytes })
        await writeFile(tx, team.id, chatId, name, content, size)
      })
    },
    async remove(caller: Caller, team: TeamRow, chatId: string, name: string): Promise<void> {
      checked(name)
      await change(caller, team, chatId, name, "deleted", async (tx) => {
        if (!(await deleteFile(tx, team.id, chatId, name))) throw unknown(name)
      })
    },
  }
}
export type Workspace = ReturnType<typeof createWorkspace>
