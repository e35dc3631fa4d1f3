import { type Host, type Parts, pageOf } from "@plugboard/sdk"
import { IsObject, type TSchema } from "typebox"
import type { Access } from "./access.ts"
import type { createAssembling } from "./assembling.ts"
import { Settings } from "./forms.ts"
import { eventsOfTeam } from "./history.ts"
import type { manifest } from "./manifest.ts"
import { listMembers, type TeamSettings } from "./roster.ts"
import { scopesOf, usersOf } from "./tasks.ts"
import { type Wire, wireEvent, wireFile } from "./wire.ts"
import type { Workspace } from "./workspace.ts"

interface Rooms {
  access: Access
  assembling: ReturnType<typeof createAssembling>
  wire: Wire
  workspace: Workspace
}
const ok = { ok: true } as const

/** What concerns teams as a whole. */
export function teamMethods(host: Host<typeof manifest>, { access, assembling, wire, workspace }: Rooms) {
  return {
    "teams.list": async (_, { caller, cliProfile }) => {
      const rows = await access.teams(caller)
      const teams = await Promise.all(rows.map((row) => wire.team(caller, row)))
      return cliProfile ? teams.map((team, at) => ({ ...team, task_count: rows[at]?.task_count ?? 0 })) : { teams, count: teams.length }
    },
    "teams.get": async ({ teamId }, { caller }) => {
      const row = await access.team(caller, teamId)
      const members = await Promise.all((await listMembers(host.db.for(caller), row.id)).map((member) => wire.member(caller, member)))
      return { team: { ...(await wire.team(caller, row)), members }, members }
    },
    "teams.create": async ({ name, lead, members, agent_ids = [], description, settings }, { caller, cliProfile }) => {
      const [first, ...rest] = agent_ids
      const leader = lead ?? first
      if (leader === undefined) throw host.fail("no_lead", {})
      // Only the spelling that names the lead among the others may do without any.
      const others = members ?? rest
      if (lead !== undefined && others.length === 0) throw host.fail("no_members", {})
      const id = await assembling.create(caller, { name, lead: leader, members: others, description: description ?? "", settings: known(Settings, settings ?? {}) })
      const team = await wire.team(caller, await access.team(caller, id))
      return cliProfile ? { ...team, team } : { team }
    },
    "teams.update": async ({ teamId, name, description, settings }, { caller }) => {
      const change = { ...(name !== undefined && { name }), ...(description !== undefined && { description }), ...(settings && { settings: known(Settings, settings) }) }
      await assembling.update(caller, teamId, change)
      return ok
    },
    "teams.delete": async ({ teamId }, { caller }) => {
      await assembling.remove(caller, teamId)
      return ok
    },
    "teams.members.add": async ({ teamId, agent, role }, { caller }) => {
      await assembling.addMember(caller, teamId, agent, role ?? "member")
      return ok
    },
    "teams.members.remove": async ({ teamId, agentId }, { caller }) => {
      await assembling.removeMember(caller, teamId, agentId)
      return ok
    },
    "teams.scopes": async ({ teamId }, { caller, cliProfile }) => {
      const scopes = await scopesOf(host.db.for(caller), (await access.team(caller, teamId)).id)
      return cliProfile ? scopes : { scopes }
    },
    "teams.known_users": async ({ teamId }, { caller, cliProfile }) => {
      const users = await usersOf(host.db.for(caller), (await access.team(caller, teamId)).id)
      return cliProfile ? users : { users: users.map(({ user_id }) => user_id) }
    },
    "teams.events.list": async ({ team_id, limit, offset }, { caller, cliProfile }) => {
      const page = pageOf({ limit: String(limit ?? ""), offset: String(offset ?? "") }, 200, 50)
      const events = (await eventsOfTeam(host.db.for(caller), (await access.team(caller, team_id)).id, page.limit, page.offset)).map(wireEvent)
      return cliProfile ? events : { events, count: events.length }
    },
    "teams.workspace.list": async ({ team_id, chat_id }, { caller, cliProfile }) => {
      const files = (await workspace.list(caller, await access.team(caller, team_id), chat_id ?? null)).map(wireFile)
      return cliProfile ? files : { files, count: files.length }
    },
    "teams.workspace.read": async ({ team_id, chat_id, file_name }, { caller }) => {
      const { file, content } = await workspace.read(caller, await access.team(caller, team_id), chat_id ?? "", file_name)
      return { file: wireFile(file), content }
    },
    "teams.workspace.delete": async ({ team_id, chat_id, file_name }, { caller }) => {
      await workspace.remove(caller, await access.team(caller, team_id), chat_id ?? "", file_name)
      return { deleted: file_name }
    },
  } satisfies Partial<Parts<typeof manifest>["rpc"]>
}

/** Settings without what nobody knows. */
function known(schema: TSchema, given: Record<string, unknown>): TeamSettings {
  if (!IsObject(schema)) return {}
  const kept = Object.entries(schema.properties).flatMap(([key, inner]) => {
    const value = given[key]
    if (value === undefined) return []
    return [[key, IsObject(inner) ? known(inner, value as Record<string, unknown>) : value]]
  })
  return Object.fromEntries(kept)
}
