import { type Caller, Gateway, type Host, type RpcCall, type SessionActivity, Sessions, seesAll } from "@plugboard/sdk"
import type { Engine } from "./engine.ts"
import type { manifest } from "./manifest.ts"
import { pursueElsewhere, pursueHere } from "./pursuit.ts"

/** How often this node looks whether a run has begun in the sessions that its sockets follow: one statement for each tenant that has some. */
const lookMs = 300
/** How far back each look goes, in seconds: over an outage, and over runs that are shorter than the pause. */
const backSeconds = 10
/** How often this node looks who is on the sockets, in ms: one may connect anew as somebody else. */
const whoMs = 3_000
const mostOfSocket = 100
const mostOfNode = 10_000

interface Follower {
  call: RpcCall
  sessionKey: string
  /** Of runs that are told, or that were over before it came; by when they were seen last. */
  known: Map<string, number>
  leave: AbortController
}

/**
 * Sockets that follow sessions. The events of a run reach the sockets of its user and of admins on the node where it is, by themselves; these are for everyone else who may see them:
 * for the session's owner when somebody else has started the run, and for all of them on the other nodes.
 */
export function createFollowing(host: Host<typeof manifest>, engine: Engine) {
  const sessions = host.use(Sessions)
  /** By socket, then by session. */
  const sockets = new Map<string, Map<string, Follower>>()
  let count = 0
  let timer: NodeJS.Timeout | undefined
  let askedWho = 0

  function remove(follower: Follower): void {
    const own = sockets.get(follower.call.connectionId)
    follower.leave.abort()
    if (own?.get(follower.sessionKey) !== follower) return
    own.delete(follower.sessionKey)
    count -= 1
    if (own.size === 0) sockets.delete(follower.call.connectionId)
  }

  function take(follower: Follower, found: SessionActivity): void {
    const { call, known, leave } = follower
    // A session that was removed may have been opened anew, by another user.
    if (found.ownerId !== call.caller.userId && !seesAll(call.caller)) {
      remove(follower)
      return
    }
    const seen = known.has(found.runId)
    known.set(found.runId, performance.now())
    if (seen) return
    const isHere = found.node === host.node.id
    if (isHere && (found.userId === call.caller.userId || seesAll(call.caller))) return
    const { runId, agentKey: agentId, sessionKey, channel, chatId, userId } = found
    const tell = (type: string, payload?: object, seq?: number) => {
      if (!leave.signal.aborted) call.emit("agent", { type, agentId, runId, ...(seq !== undefined && { seq }), ...(payload && { payload }), userId, channel, chatId, sessionKey })
    }
    const run = engine.get(runId)
    const stored = { read: engine.stored.read, answer: sessions.answer }
    const told = run ? pursueHere(run, tell, leave.signal) : pursueElsewhere(stored, call.caller, found, tell, leave.signal)
    told.catch((err: unknown) => {
      host.log.debug({ err, run: runId }, "run not followed to its end; the next look begins anew")
      known.delete(runId)
    })
  }

  async function dropWhoIsGone(caller: Caller, followers: readonly Follower[]): Promise<void> {
    const present = new Map((await host.use(Gateway).connections(caller)).map(({ id, userId, role }) => [id, `${role}\n${userId}`]))
    for (const follower of followers) {
      const { connectionId, caller: was } = follower.call
      if (present.get(connectionId) !== `${was.role}\n${was.userId}`) remove(follower)
    }
  }

  async function look(): Promise<void> {
    const asksWho = performance.now() - askedWho > whoMs
    if (asksWho) askedWho = performance.now()
    const tenants = new Map<string, { caller: Caller; followers: Follower[] }>()
    for (const own of sockets.values())
      for (const follower of own.values()) {
        const { caller } = follower.call
        const tenant = tenants.get(caller.tenantId) ?? { caller, followers: [] }
        tenant.followers.push(follower)
        tenants.set(caller.tenantId, tenant)
      }
    for (const { caller, followers } of tenants.values()) {
      if (asksWho) await dropWhoIsGone(caller, followers)
      const found = await sessions.activity(caller, [...new Set(followers.map(({ sessionKey }) => sessionKey))], backSeconds)
      for (const follower of followers) {
        for (const run of found) if (run.sessionKey === follower.sessionKey && !follower.leave.signal.aborted) take(follower, run)
        const old = performance.now() - backSeconds * 2_000
        for (const [runId, seenAt] of follower.known) if (seenAt < old) follower.known.delete(runId)
      }
    }
  }

  function arm(): void {
    if (timer || count === 0) return
    timer = setTimeout(() => {
      look()
        .catch((err: unknown) => host.log.debug({ err }, "followed sessions not looked at; the next round tries again"))
        .finally(() => {
          timer = undefined
          arm()
        })
    }, lookMs)
    timer.unref()
  }

  return {
    /** From now on until `unfollow` or the end of the socket. Of a run under way all is told that it has said. */
    async follow(call: RpcCall, sessionKey: string): Promise<{ ok: true; key: string; runId: string }> {
      const { caller, connectionId, closed } = call
      const facts = await sessions.facts(caller, sessionKey)
      if (!facts) throw host.fail("unknown_session", { key: sessionKey.slice(0, 100) })
      const found = await sessions.activity(caller, [sessionKey], backSeconds)
      const underWay = found.find(({ isRunning }) => isRunning)?.runId ?? ""
      const own = sockets.get(connectionId) ?? new Map<string, Follower>()
      if (closed.aborted || own.has(sessionKey)) return { ok: true, key: sessionKey, runId: underWay }
      if (own.size >= mostOfSocket || count >= mostOfNode) throw host.fail("follows_too_much", { most: mostOfSocket })
      const over = found.filter(({ isRunning }) => !isRunning)
      const follower: Follower = { call, sessionKey, known: new Map(over.map(({ runId }) => [runId, performance.now()])), leave: new AbortController() }
      own.set(sessionKey, follower)
      sockets.set(connectionId, own)
      count += 1
      closed.addEventListener("abort", () => remove(follower), { once: true })
      arm()
      return { ok: true, key: sessionKey, runId: underWay }
    },
    unfollow({ connectionId }: RpcCall, sessionKey: string): { ok: true; followed: boolean } {
      const follower = sockets.get(connectionId)?.get(sessionKey)
      if (follower) remove(follower)
      return { ok: true, followed: follower !== undefined }
    },
    stop(): void {
      clearTimeout(timer)
      for (const own of [...sockets.values()]) for (const follower of [...own.values()]) remove(follower)
    },
  }
}
