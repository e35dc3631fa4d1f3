import { AgentAnswers, definePlugin, Runs, row, sql, Tools } from "@plugboard/sdk"
import { Type } from "typebox"
import { createAgentAnswers } from "./agent-answers.ts"
import { createAskedRuns } from "./asked-runs.ts"
import { createCompletions } from "./completions.ts"
import { createControl } from "./control.ts"
import { datetime } from "./datetime.ts"
import { createEngine } from "./engine.ts"
import { createFollowing } from "./following.ts"
import { createIdleWait } from "./idle-wait.ts"
import { manifest } from "./manifest.ts"
import { modelList } from "./model-list.ts"
import { createOutcomes } from "./outcome.ts"
import { createRejoining } from "./rejoining.ts"
import { createSend } from "./send.ts"
import { createWake } from "./wake.ts"

export default definePlugin(manifest, (host) => {
  const outcomes = createOutcomes(host)
  const engine = createEngine(host, outcomes)
  const control = createControl(host, engine)
  const rejoining = createRejoining(host, engine, outcomes)
  host.contribute(Tools, datetime.name, datetime)
  const runs = createAskedRuns(host, engine)
  const wake = createWake(host, { runs, engine, outcomes })
  const following = createFollowing(host, engine)
  const waitUntilIdle = createIdleWait(host, engine)
  host.offer(Runs, runs)
  host.offer(AgentAnswers, createAgentAnswers(host, engine, outcomes))
  return {
    routes: {
      completions: createCompletions(host, engine, outcomes, rejoining),
      wake: ({ params, body, caller, headers, signal }) => wake(params.id, body, caller, headers["idempotency-key"], signal),
      models: async ({ caller }) => ({ object: "list" as const, data: await modelList(host, caller) }),
    },
    rpc: {
      "agent.wait": ({ agentId, sessionKey, timeout }, { caller, closed }) => waitUntilIdle(caller, agentId, sessionKey, (timeout ?? 60) * 1_000, closed),
      "chat.send": createSend(host, engine, outcomes),
      "chat.history": ({ sessionKey, limit, before }, { caller }) => control.history(caller, sessionKey, { limit, before }),
      "chat.abort": (named, { caller }) => control.abort(caller, named),
      "chat.inject": ({ message, label, ...named }, { caller }) => control.inject(caller, named, message, label),
      "chat.events": ({ from, ...named }, { caller }) => control.events(caller, named, from ?? 0),
      "sessions.follow": ({ key }, call) => following.follow(call, key),
      "sessions.unfollow": async ({ key }, call) => following.unfollow(call, key),
      "chat.session.status": (named, { caller }) => control.status(caller, named),
    },
    jobs: {
      // A run that ended removes its own; this is for those whose gateway did not live to do it.
      prune: async (_, { caller }) => {
        await host.db.for(caller).query(sql.type(row(Type.Object({})))`DELETE FROM chat.run_events WHERE created_at < now() - interval '1 day'`)
        await host.db.for(caller).query(sql.type(row(Type.Object({})))`DELETE FROM chat.stream_frames WHERE created_at < now() - interval '1 day'`)
      },
    },
    drain(signal) {
      following.stop()
      return engine.drain(signal)
    },
    async stop() {
      await rejoining.stop()
      await engine.stored.stop()
    },
  }
})
