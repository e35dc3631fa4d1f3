import { definePlugin, Runs, row, sql, Tools } from "@plugboard/sdk"
import { Type } from "typebox"
import { createCompletions } from "./completions.ts"
import { createControl } from "./control.ts"
import { datetime } from "./datetime.ts"
import { createEngine } from "./engine.ts"
import { manifest } from "./manifest.ts"
import { modelList } from "./model-list.ts"
import { createOutcomes } from "./outcome.ts"
import { createSend } from "./send.ts"

export default definePlugin(manifest, (host) => {
  const outcomes = createOutcomes(host)
  const engine = createEngine(host, outcomes)
  const control = createControl(host, engine)
  host.contribute(Tools, datetime.name, datetime)
  host.offer(Runs, { running: async (caller) => engine.running(caller) })
  return {
    routes: {
      completions: createCompletions(host, engine, outcomes),
      models: async ({ caller }) => ({ object: "list" as const, data: await modelList(host, caller) }),
    },
    rpc: {
      "chat.send": createSend(host, engine, outcomes),
      "chat.history": ({ sessionKey }, { caller }) => control.history(caller, sessionKey),
      "chat.abort": (named, { caller }) => control.abort(caller, named),
      "chat.inject": ({ message, label, ...named }, { caller }) => control.inject(caller, named, message, label),
      "chat.events": ({ from, ...named }, { caller }) => control.events(caller, named, from ?? 0),
      "chat.session.status": (named, { caller }) => control.status(caller, named),
    },
    jobs: {
      // A run that ended removes its own; this is for those whose gateway did not live to do it.
      prune: async (_, { caller }) => {
        await host.db.for(caller).query(sql.type(row(Type.Object({})))`DELETE FROM chat.run_events WHERE created_at < now() - interval '1 day'`)
      },
    },
    drain: (signal) => engine.drain(signal),
    stop: () => engine.stored.stop(),
  }
})
