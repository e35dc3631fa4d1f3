import { AgentParts, Agents, type Caller, definePlugin, Teams, Tools } from "@plugboard/sdk"
import { createAccess } from "./access.ts"
import { createAnnouncing } from "./announcing.ts"
import { createAssembling } from "./assembling.ts"
import { createBoard } from "./board.ts"
import { createDispatching } from "./dispatching.ts"
import { pruneEvents } from "./history.ts"
import { manifest } from "./manifest.ts"
import { createMembership } from "./membership.ts"
import { createReminding } from "./reminding.ts"
import { taskMethods } from "./task-methods.ts"
import { teamMethods } from "./team-methods.ts"
import { boardTool, createTools, filesTool } from "./tool.ts"
import { createWire } from "./wire.ts"
import { createWorkspace } from "./workspace.ts"

const longestStopMs = 3_000

export default definePlugin(manifest, (host) => {
  const agents = host.use(Agents)
  const wire = createWire(agents)
  const access = createAccess(host, agents)
  const assembling = createAssembling(host, agents, access)
  const workspace = createWorkspace(host)
  const announcing = createAnnouncing(host, access)
  const board = createBoard(host, wire, access, {
    dispatch: (tenantId, task) => dispatching.dispatch(tenantId, task),
    announce: (tenantId, task) => announcing.announce(tenantId, task),
    note: (tenantId, settings, happened) => announcing.note(tenantId, settings, happened),
  })
  const dispatching = createDispatching(host, board)
  const remind = createReminding(host, board)
  const membership = createMembership(host, agents, [boardTool, filesTool])
  for (const tool of createTools(host, { board, wire, workspace, agents, memberships: membership.memberships })) host.contribute(Tools, tool.name, tool)
  host.contribute(AgentParts, manifest.id, { remove: (caller, agent) => assembling.forget(caller, agent) })
  host.offer(Teams, membership.service)
  host.events.subscribe("sessions.interrupted", ({ runId }: { runId: string }, { tenantId }) => {
    dispatching.interrupted(tenantId, runId).catch((err: unknown) => host.log.warn({ err, run: runId }, "task of a run not ended; it is looked after later"))
  })
  const tend = async (caller: Caller) => {
    await dispatching.tend(caller)
    await announcing.announceMissed(caller)
    await remind(caller)
  }
  return {
    hooks: { "tools.resolving": membership.offerBoard, "prompt.assembling": membership.tellOfTeam },
    rpc: { ...teamMethods(host, { access, assembling, wire, workspace }), ...taskMethods(host, { access, board, wire, agents }) },
    jobs: {
      tend: async (_, { caller }) => {
        await tend(caller)
        await pruneEvents(host.db.for(caller), host.config.keepEvents)
      },
    },
    start: () => host.eachTenant(tend),
    // The runs have ended with the gateway by now; what became of them is written down.
    stop: async () => {
      await Promise.race([dispatching.settled(), new Promise((resolve) => setTimeout(resolve, longestStopMs).unref())])
    },
  }
})
