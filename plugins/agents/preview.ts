import type { Caller, Host } from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"
import type { AgentRow } from "./store.ts"

/** What the agent's model would be told before a message of the caller's, section by section. */
export async function previewPrompt(host: Host<typeof manifest>, caller: Caller, agent: AgentRow, signal: AbortSignal) {
  const own = agent.system_prompt === "" ? [] : [{ key: "agent", text: agent.system_prompt }]
  // An empty run id: of no run.
  const asked = { runId: "", agentKey: agent.agent_key, sessionKey: `agent:${agent.agent_key}:preview`, message: "", sections: own }
  const { sections } = await host.hooks.call("prompt.assembling", asked, { caller, signal })
  const prompt = sections.map(({ text }) => text).join("\n\n")
  return { prompt, chars: prompt.length, sections: sections.map(({ key, text }) => ({ key, chars: text.length })) }
}
