import type { Host, RunOrigin } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import type { Run } from "./run.ts"

/** Tells what a run does: into its log, for those who follow it, and to the sockets of its user and of the tenant's admins. */
export interface Telling {
  tell(run: Run, type: string, payload?: Readonly<Record<string, unknown>>): void
  /** Deltas that came together: each on its own in the log, joined for the sockets. */
  tellDeltas(run: Run, type: "chunk" | "thinking", texts: readonly string[]): void
  /** All of the text, for the sockets of a run that does not stream; its log has the text in pieces. */
  tellWhole(run: Run, content: string): void
}

export function createTelling(host: Host<typeof manifest>): Telling {
  function publish(run: Run, seq: number, type: string, payload?: Readonly<Record<string, unknown>>): void {
    const { agent, turn, origin } = run.request
    host.events.publish(
      run.caller,
      "agent",
      {
        type,
        agentId: agent.key,
        runId: run.id,
        seq,
        ...(payload && { payload }),
        userId: run.caller.userId,
        channel: turn.channel,
        chatId: turn.chatId,
        sessionKey: turn.sessionKey,
        ...(origin && told(origin)),
      },
      { userId: run.caller.userId },
    )
  }
  return {
    tell(run, type, payload) {
      const seq = run.log.append(type, payload)
      run.log.wake()
      publish(run, seq, type, payload)
    },
    tellWhole: (run, content) => publish(run, run.log.events.length - 1, "chunk", { content }),
    tellDeltas(run, type, texts) {
      let seq = 0
      for (const content of texts) seq = run.log.append(type, { content })
      run.log.wake()
      // Without streaming, sockets get the text in one piece at the end.
      if (run.request.stream) publish(run, seq, type, { content: texts.length === 1 ? texts[0] : texts.join("") })
    },
  }
}

function told({ runKind, delegationId, teamId, teamTaskId, parentAgentId }: RunOrigin) {
  return { runKind, ...(delegationId !== undefined && { delegationId }), ...(teamId !== undefined && { teamId }), ...(teamTaskId !== undefined && { teamTaskId }), parentAgentId }
}
