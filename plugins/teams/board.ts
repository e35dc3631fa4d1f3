// Longer than 300 lines: whatever changes a task stands in one place, since all of it must hold the team's row.
import { randomUUID, randomUUIDv7 } from "node:crypto"
import type { AgentProfile, Caller, Host, Tx } from "@plugboard/sdk"
import type { Access } from "./access.ts"
import { freed } from "./assembling.ts"
import { createEntries, type Happened } from "./entries.ts"
import { attachFile } from "./files.ts"
import { insertComment } from "./history.ts"
import type { manifest } from "./manifest.ts"
import { listMembers, lockTeam, type TeamRow, type TeamSettings } from "./roster.ts"
import { closesCircle, deleteTask, ended, findTask, freedBy, insertTask, type NewTask, openAmong, type Status, type TaskRow, updateTask } from "./tasks.ts"
import { type Actor, beginningOf, type Wire } from "./wire.ts"

/** What follows a change of the board once it is stored. */
export interface Following {
  /** An agent is to begin. */
  dispatch(tenantId: string, task: TaskRow): void
  /** The agent that made the task is to be told of its end. */
  announce(tenantId: string, task: TaskRow): void
  /** The conversation in which the task was made may want to know. */
  note(tenantId: string, settings: TeamSettings, happened: Happened): void
}
export type Given = Pick<NewTask, "subject" | "description" | "priority" | "task_type" | "user_id" | "user_role" | "channel" | "chat_id"> &
  Partial<Pick<NewTask, "created_by_agent_id" | "parent_id" | "session_key" | "hops" | "announce_run_id">> & { blockers: readonly string[] }
export type RunEnd = { status: "completed"; result: string } | { status: "failed" | "cancelled"; reason: string }

/** Longest result that is kept, in characters. */
const resultChars = 100_000
/** On a task. */
const mostComments = 1_000
/** Whoever waits for a run writes its end within this time after the run's own limit. */
const graceSeconds = 60
const notEnded: readonly Status[] = ["pending", "in_progress", "blocked", "stale", "in_review"]
const free: readonly Status[] = ["pending", "stale", "failed"]

/** Every change of a task. Each holds the team's row, so that on all nodes one comes after the other. */
export function createBoard(host: Host<typeof manifest>, wire: Wire, access: Access, following: Following) {
  const entry = createEntries(wire, access)

  interface Work {
    tx: Tx
    team: TeamRow
    begun: TaskRow[]
    happened: Happened[]
  }
  async function atBoard<T>(caller: Caller, teamId: string, work: (at: Work) => Promise<T>): Promise<T> {
    const begun: TaskRow[] = []
    const happened: Happened[] = []
    const { team, done } = await host.db.for(caller).transaction(async (tx) => {
      const team = await lockTeam(tx, teamId)
      if (!team) throw host.fail("unknown_team", { team: teamId })
      return { team, done: await work({ tx, team, begun, happened }) }
    })
    for (const task of begun) following.dispatch(caller.tenantId, task)
    for (const one of happened) following.note(caller.tenantId, team.settings, one)
    return done
  }
  async function demand(tx: Tx, team: TeamRow, ref: string): Promise<TaskRow> {
    const task = await findTask(tx, team.id, ref)
    if (!task) throw host.fail("unknown_task", { task: ref.slice(0, 100) })
    return task
  }
  /** A task that is in one of these states, of a team at work. */
  async function demandIn(tx: Tx, team: TeamRow, ref: string, states: readonly Status[]): Promise<TaskRow> {
    if (team.status === "archived") throw host.fail("archived", { team: team.name })
    const task = await demand(tx, team, ref)
    if (!states.includes(task.status)) throw host.fail("wrong_state", { task: `#${task.task_number}`, status: task.status })
    return task
  }
  async function demandMember(tx: Tx, team: TeamRow, agent: AgentProfile): Promise<void> {
    if (!(await listMembers(tx, team.id)).some(({ agent_id }) => agent_id === agent.id)) throw host.fail("not_a_member", { agent: agent.key })
  }
  const until = (seconds: number) => ({ locked_at: new Date().toISOString(), lock_expires_at: new Date(Date.now() + seconds * 1_000).toISOString() })

  /** The owner's run is to begin, as the user who has assigned the task. */
  async function begin(at: Work, caller: Caller, task: TaskRow, agentKey: string): Promise<void> {
    const dispatches = task.dispatches + 1
    // A session is one user's and one attempt's: whoever assigns the task again may be another.
    const chat = dispatches === 1 ? task.id : `${task.id}-${dispatches}`
    const work = { run_id: randomUUID(), work_session_key: `agent:${agentKey}:team:${task.team_id}:${chat}`, dispatches }
    const row = await updateTask(at.tx, {
      ...task,
      ...work,
      ...until(host.config.timeoutSeconds + graceSeconds),
      status: "in_progress",
      result: null,
      progress_percent: null,
      progress_step: null,
    })
    await entry(at, caller, row, "dispatched", { type: "system", id: "teams" })
    at.begun.push(row)
  }
  async function give(at: Work, caller: Caller, task: TaskRow, agent: AgentProfile, actor: Actor, event: "assigned" | "claimed"): Promise<TaskRow> {
    const given = { ...task, owner_agent_id: agent.id, runs_as: caller.userId, runs_as_role: caller.role }
    await entry(at, caller, given, event, actor)
    if (task.status === "blocked") return updateTask(at.tx, given)
    await begin(at, caller, given, agent.key)
    return given
  }
  /** What waited for the task goes on; where the task came to nothing, somebody must decide who does. */
  async function freeOthers(at: Work, caller: Caller, task: TaskRow): Promise<void> {
    for (const other of await freedBy(at.tx, task.id)) {
      const owner = task.status === "completed" && other.owner_agent_id !== null ? await wire.agent(caller, other.owner_agent_id) : null
      if (owner && other.runs_as !== null) await begin(at, caller, other, owner.key)
      else await entry(at, caller, await updateTask(at.tx, { ...other, ...freed, status: "pending" }), "updated", { type: "system", id: "teams" })
    }
  }
  async function settle(
    at: Work,
    caller: Caller,
    task: TaskRow,
    status: "completed" | "failed" | "cancelled",
    result: string | null,
    actor: Actor,
    event: string = status,
  ): Promise<TaskRow> {
    const row = await updateTask(at.tx, {
      ...task,
      status,
      result: result === null ? null : beginningOf(result, resultChars),
      locked_at: null,
      lock_expires_at: null,
      followup_at: null,
    })
    await entry(at, caller, row, event, actor, status === "completed" ? {} : { reason: result ?? "" })
    if (status !== "failed") await freeOthers(at, caller, row)
    return row
  }
  /** Done, or to be looked at first where the team has somebody for that. */
  async function finish(at: Work, caller: Caller, task: TaskRow, result: string, actor: Actor): Promise<TaskRow> {
    const reviewed = (await listMembers(at.tx, at.team.id)).some(({ role, agent_id }) => role === "reviewer" && agent_id !== task.owner_agent_id)
    if (!reviewed) return settle(at, caller, { ...task, progress_percent: 100 }, "completed", result, actor)
    const row = await updateTask(at.tx, { ...task, status: "in_review", result: beginningOf(result, resultChars), locked_at: null, lock_expires_at: null })
    await entry(at, caller, row, "reviewed", actor)
    return row
  }
  async function drop(at: Work, caller: Caller, task: TaskRow, actor: Actor): Promise<void> {
    // What waits for one that has failed would wait for ever.
    if (task.status === "failed") await freeOthers(at, caller, await updateTask(at.tx, { ...task, status: "cancelled" }))
    await entry(at, caller, task, "deleted", actor)
    await deleteTask(at.tx, task.id)
  }
  async function say({ tx, team }: Work, ref: string, actor: Actor, content: string, comment_type: "note" | "blocker"): Promise<TaskRow> {
    const task = await demand(tx, team, ref)
    if (task.comment_count >= mostComments) throw host.fail("too_many", { most: mostComments })
    await insertComment(tx, { task_id: task.id, ...authorOf(actor), content, comment_type })
    return task
  }
  const told = (caller: Caller, row: TaskRow) => {
    if (row.announce_run_id !== null && (row.status === "completed" || row.status === "failed")) following.announce(caller.tenantId, row)
    return row
  }

  return {
    create: (caller: Caller, teamId: string, actor: Actor, { blockers, ...given }: Given, assignee: AgentProfile | null) =>
      atBoard(caller, teamId, async (at) => {
        const { tx, team } = at
        if (team.status === "archived") throw host.fail("archived", { team: team.name })
        if (assignee) await demandMember(tx, team, assignee)
        const blocked_by = [...new Set((await Promise.all(blockers.map((ref) => demand(tx, team, ref)))).map(({ id }) => id))]
        const status = (await openAmong(tx, team.id, blocked_by)).length > 0 ? "blocked" : "pending"
        const usual = { created_by_agent_id: null, parent_id: null, session_key: null, hops: 0, announce_run_id: null }
        const row = await insertTask(tx, { ...usual, ...given, id: randomUUIDv7(), team_id: team.id, status, blocked_by }, host.config.maxTasks)
        if (!row) throw host.fail("too_many", { most: host.config.maxTasks })
        await entry(at, caller, row, "created", actor)
        if (assignee) await give(at, caller, row, assignee, actor, "assigned")
        return demand(tx, team, row.id)
      }),
    assign: (caller: Caller, teamId: string, ref: string, agent: AgentProfile, actor: Actor) =>
      atBoard(caller, teamId, async (at) => {
        const task = await demandIn(at.tx, at.team, ref, [...free, "blocked", "in_progress"])
        // Work that an agent has claimed in a conversation may be taken from it; a run under way may not.
        if (task.status === "in_progress" && task.run_id !== null) throw host.fail("wrong_state", { task: `#${task.task_number}`, status: task.status })
        await demandMember(at.tx, at.team, agent)
        return give(at, caller, task, agent, actor, "assigned")
      }),
    /** Of several who ask at once one gets it. `works`: it is at work already, in a conversation; otherwise it begins now. */
    claim: (caller: Caller, teamId: string, ref: string, agent: AgentProfile, actor: Actor, works: boolean) =>
      atBoard(caller, teamId, async (at) => {
        const present = await demand(at.tx, at.team, ref)
        if (present.status === "in_progress" && present.owner_agent_id !== null) {
          const owner = await wire.agent(caller, present.owner_agent_id)
          throw host.fail("taken", { task: `#${present.task_number}`, agent: owner?.key ?? "-" })
        }
        const task = await demandIn(at.tx, at.team, ref, free)
        await demandMember(at.tx, at.team, agent)
        if (!works) return give(at, caller, task, agent, actor, "claimed")
        const row = await updateTask(at.tx, { ...task, ...freed, status: "in_progress", owner_agent_id: agent.id, result: null, ...until(host.config.claimSeconds) })
        await entry(at, caller, row, "claimed", actor)
        return row
      }),
    /** By its owner, or by the lead. */
    complete: (caller: Caller, teamId: string, ref: string, actor: Actor, result: string) =>
      atBoard(caller, teamId, async (at) => {
        const task = await demandIn(at.tx, at.team, ref, ["in_progress"])
        if (actor.agentId !== task.owner_agent_id && actor.agentId !== at.team.lead_agent_id) throw host.fail("not_yours", { task: `#${task.task_number}` })
        return finish(at, caller, task, result, actor)
      }).then((row) => told(caller, row)),
    approve: (caller: Caller, teamId: string, ref: string, actor: Actor, comment: string) =>
      atBoard(caller, teamId, async (at) => {
        const task = await demandIn(at.tx, at.team, ref, ["in_review"])
        if (comment !== "") await insertComment(at.tx, { task_id: task.id, ...authorOf(actor), content: comment, comment_type: "note" })
        return settle(at, caller, { ...task, progress_percent: 100 }, "completed", task.result, actor, "approved")
      }).then((row) => told(caller, row)),
    reject: (caller: Caller, teamId: string, ref: string, actor: Actor, reason: string) =>
      atBoard(caller, teamId, async (at) => settle(at, caller, await demandIn(at.tx, at.team, ref, ["in_review"]), "cancelled", reason, actor, "rejected")),
    /** Resolves with the run that must end, if there is one. */
    cancel: (caller: Caller, teamId: string, ref: string, actor: Actor, reason: string) =>
      atBoard(caller, teamId, async (at) => {
        const task = await demandIn(at.tx, at.team, ref, ["pending", "in_progress", "blocked", "stale", "failed", "in_review"])
        await settle(at, caller, { ...task, run_id: null }, "cancelled", reason, actor)
        return task.status === "in_progress" ? task.run_id : null
      }),
    comment: (caller: Caller, teamId: string, ref: string, actor: Actor, content: string, comment_type: "note" | "blocker" = "note") =>
      atBoard(caller, teamId, async (at) => {
        const task = await say(at, ref, actor, content, comment_type)
        const escalates = comment_type === "blocker" && at.team.settings.blocker_escalation?.enabled !== false && actor.agentId !== at.team.lead_agent_id
        const row =
          (escalates && task.escalation_run_id === null) || (actor.type === "human" && task.followup_at !== null)
            ? await updateTask(at.tx, { ...task, ...(escalates ? { escalation_run_id: task.escalation_run_id ?? randomUUID() } : { followup_at: null }) })
            : task
        await entry(at, caller, row, "commented", actor, { comment: content })
        return escalates && task.escalation_run_id === null ? row : null
      }).then((row) => row && following.announce(caller.tenantId, row)),
    /** A question to the task's user, who is reminded of it until there is an answer. */
    ask: (caller: Caller, teamId: string, ref: string, actor: Actor, question: string) =>
      atBoard(caller, teamId, async (at) => {
        const { followup_interval_minutes: minutes = 0, followup_max_reminders: most = 3 } = at.team.settings
        if (minutes === 0 || most === 0) throw host.fail("followups_off", {})
        const task = await say(at, (await demandIn(at.tx, at.team, ref, notEnded)).id, actor, question, "note")
        const now = Date.now()
        const asked = { followup_message: question, followup_asked_at: new Date(now).toISOString(), followup_at: new Date(now + minutes * 60_000).toISOString() }
        await entry(at, caller, await updateTask(at.tx, { ...task, ...asked, followup_count: 0, followup_max: most }), "commented", actor, { comment: question })
      }),
    /** The question's time has come. `answered`: nobody need be reminded any more. Resolves with the task that the user is to be reminded of. */
    remind: (caller: Caller, task: TaskRow, answered: boolean) =>
      atBoard(caller, task.team_id, async (at) => {
        const present = await findTask(at.tx, at.team.id, task.id)
        if (present?.followup_at !== task.followup_at || present?.followup_at === null || !present) return null
        const count = present.followup_count + 1
        const minutes = at.team.settings.followup_interval_minutes ?? 0
        const over = answered || minutes === 0 || ended.includes(present.status)
        const next = over || count >= present.followup_max ? null : new Date(Date.now() + minutes * 60_000).toISOString()
        const row = await updateTask(at.tx, { ...present, followup_at: next, followup_count: over ? present.followup_count : count })
        if (over) return null
        await entry(at, caller, row, "updated", { type: "system", id: "teams" }, { reason: row.followup_message ?? "" })
        return row
      }),
    progress: (caller: Caller, teamId: string, ref: string, actor: Actor, percent: number | null, step: string | null) =>
      atBoard(caller, teamId, async (at) => {
        const task = await demandIn(at.tx, at.team, ref, ["in_progress"])
        if (actor.agentId !== task.owner_agent_id) throw host.fail("not_yours", { task: `#${task.task_number}` })
        const longer = task.run_id === null && until(host.config.claimSeconds)
        const row = await updateTask(at.tx, { ...task, ...longer, progress_percent: percent ?? task.progress_percent, progress_step: step ?? task.progress_step })
        await entry(at, caller, row, "progress", actor)
      }),
    /** Has it wait for these too. */
    block: (caller: Caller, teamId: string, ref: string, actor: Actor, blockers: readonly string[]) =>
      atBoard(caller, teamId, async (at) => {
        const { tx, team } = at
        const task = await demandIn(tx, team, ref, ["pending", "blocked", "stale", "failed"])
        const added = (await Promise.all(blockers.map((other) => demand(tx, team, other)))).map(({ id }) => id)
        const blocked_by = [...new Set([...task.blocked_by, ...added])]
        if (blocked_by.length > 50) throw host.fail("too_many", { most: 50 })
        if (await closesCircle(tx, task.id, added)) throw host.fail("circle", { task: `#${task.task_number}` })
        const status = (await openAmong(tx, team.id, blocked_by)).length > 0 ? "blocked" : task.status
        await entry(at, caller, await updateTask(tx, { ...task, blocked_by, status }), "updated", actor)
      }),
    attach: (caller: Caller, teamId: string, ref: string, actor: Actor & { agentId: string }, chatId: string, file: string) =>
      atBoard(caller, teamId, async (at) => {
        const { tx, team } = at
        const task = await demand(tx, team, ref)
        if (!(await attachFile(tx, task, chatId, file, actor.agentId))) throw host.fail("unknown_file", { file: file.slice(0, 200) })
        await entry(at, caller, task, "attachment_added", actor)
      }),
    remove: (caller: Caller, teamId: string, ref: string, actor: Actor) =>
      atBoard(caller, teamId, async (at) => {
        const task = await demand(at.tx, at.team, ref)
        if (!ended.includes(task.status)) throw host.fail("wrong_state", { task: `#${task.task_number}`, status: task.status })
        await drop(at, caller, task, actor)
      }),
    /** Those of these that have ended. Resolves with how many. */
    removeEnded: (caller: Caller, teamId: string, refs: readonly string[], actor: Actor) =>
      atBoard(caller, teamId, async (at) => {
        let dropped = 0
        for (const ref of new Set(refs)) {
          const task = await findTask(at.tx, at.team.id, ref)
          if (!task || !ended.includes(task.status)) continue
          await drop(at, caller, task, actor)
          dropped += 1
        }
        return dropped
      }),
    /** The end of the owner's run, once, whoever comes first with it. */
    endRun: (caller: Caller, task: Pick<TaskRow, "id" | "team_id" | "run_id">, end: RunEnd) =>
      atBoard(caller, task.team_id, async (at) => {
        const present = await findTask(at.tx, at.team.id, task.id)
        if (present?.run_id !== task.run_id || present?.status !== "in_progress") return null
        const owner = present.owner_agent_id === null ? null : await wire.agent(caller, present.owner_agent_id)
        const actor: Actor = owner ? { type: "agent", id: owner.key, agentId: owner.id } : { type: "system", id: "teams" }
        if (end.status === "completed") return finish(at, caller, present, end.result, actor)
        return settle(at, caller, present, "failed", end.reason, end.status === "failed" ? actor : { type: "system", id: "teams" })
      }).then((row) => row && told(caller, row)),
    /** Claimed, and nothing was heard of it. */
    lapse: (caller: Caller, task: TaskRow) =>
      atBoard(caller, task.team_id, async (at) => {
        const { tx, team } = at
        const present = await findTask(tx, team.id, task.id)
        if (present?.status !== "in_progress" || present.locked_at !== task.locked_at) return
        const row = await updateTask(tx, { ...present, ...freed, status: "stale" })
        await entry(at, caller, row, "stale", { type: "system", id: "teams" })
      }),
  }
}
export type Board = ReturnType<typeof createBoard>

function authorOf({ agentId, id }: Actor): { agent_id: string | null; user_id: string | null } {
  return agentId ? { agent_id: agentId, user_id: null } : { agent_id: null, user_id: id }
}
