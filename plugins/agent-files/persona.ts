import {
  type AgentFile,
  type AgentFileName,
  type AgentFilesService,
  type AgentProfile,
  Agents,
  agentFileNames,
  type Caller,
  type Host,
  type PromptSection,
  type Tap,
} from "@plugboard/sdk"
import { identityIn } from "./identity.ts"
import { filesOfInstance, seeUser } from "./instances.ts"
import type { manifest } from "./manifest.ts"
import { filesOf } from "./store.ts"

type Contents = Partial<Record<AgentFileName, string>>
const contentsOf = (files: readonly AgentFile[]): Contents => Object.fromEntries(files.map(({ name, content }) => [name, content]))

/** Who an agent is to one user. In memory until a file changes, so that a turn reads no file; a user is seen as often as the memory is renewed. */
export function createPersona(host: Host<typeof manifest>) {
  const agents = host.use(Agents)
  const cached = { ttlMs: 300_000, changedBy: ["agent_files.changed"] }
  const shared = host.cache<Contents>({ ...cached, max: 1_000, load: async (caller, agentId) => contentsOf(await filesOf(host.db.for(caller), agentId)) })
  const own = host.cache<Contents>({
    ...cached,
    max: 2_000,
    load: async (caller, slot) => contentsOf(await filesOfInstance(host.db.for(caller), ...(JSON.parse(slot) as [string, string]))),
  })
  const prompts = host.cache<readonly PromptSection[]>({
    ...cached,
    changedBy: [...cached.changedBy, "agents.changed"],
    max: 2_000,
    async load(caller, slot) {
      const [agentId, userId] = JSON.parse(slot) as [string, string]
      const agent = await agents.find(caller, agentId)
      if (!agent) return []
      await host.db.for(caller).transaction((tx) => seeUser(tx, agentId, userId, agent.type === "open"))
      // Read anew: what has just been copied stands in no cache yet.
      const contents = effective(agent, await shared.get(caller, agentId), contentsOf(await filesOfInstance(host.db.for(caller), agentId, userId)))
      return sectionsOf(contents, host.config)
    },
  })

  async function contentsFor(caller: Caller, agentId: string): Promise<Contents> {
    const agent = await agents.find(caller, agentId)
    if (!agent) return {}
    const [ofAgent, ofUser] = await Promise.all([shared.get(caller, agentId), own.get(caller, JSON.stringify([agentId, caller.userId]))])
    return effective(agent, ofAgent, ofUser)
  }
  const read: AgentFilesService["read"] = async (caller, agentId, name) => (await contentsFor(caller, agentId))[name] ?? ""

  const addPersona: Tap<"prompt.assembling"> = async function addPersona(prompt, { caller }) {
    const agent = await agents.find(caller, prompt.agentKey)
    if (!agent) return prompt
    // A prompt of no run is looked at, and nobody is seen by it.
    const sections = prompt.runId === "" ? sectionsOf(await contentsFor(caller, agent.id), host.config) : await prompts.get(caller, JSON.stringify([agent.id, caller.userId]))
    if (sections.length === 0) return prompt
    // Behind what the agent's own prompt says, before what the caller asks for.
    const at = prompt.sections.findLastIndex(({ key }) => key === "agent") + 1
    return { ...prompt, sections: [...prompt.sections.slice(0, at), ...sections, ...prompt.sections.slice(at)] }
  }
  return { read, identity: async (caller: Caller, agentId: string) => identityIn(await read(caller, agentId, "IDENTITY.md")), addPersona }
}

/** A user's own copy wins: of an open agent all of them, of a predefined one `USER.md`. */
function effective(agent: AgentProfile, ofAgent: Contents, ofUser: Contents): Contents {
  return agent.type === "open" ? { ...ofAgent, ...ofUser } : { ...ofAgent, ...(ofUser["USER.md"] !== undefined && { "USER.md": ofUser["USER.md"] }) }
}

function sectionsOf(contents: Contents, { promptChars, promptTotalChars }: { promptChars: number; promptTotalChars: number }): PromptSection[] {
  let left = promptTotalChars
  return agentFileNames.flatMap((name) => {
    // How to get to know a user is of use until something is known.
    if (name === "HEARTBEAT.md" || (name === "BOOTSTRAP.md" && contents["USER.md"]?.trim())) return []
    const text = contents[name]?.trim() ?? ""
    if (text === "" || left <= 0) return []
    const kept = text.slice(0, Math.min(promptChars, left))
    left -= kept.length
    return [{ key: `file:${name}`, text: `## ${name}\n\n${kept}${kept.length < text.length ? `\n\n[${name} is longer; the rest was cut.]` : ""}` }]
  })
}
