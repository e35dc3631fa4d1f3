import type { AgentProfile } from "@plugboard/sdk"

export type Word = "allow" | "ask" | "deny"
/** From the loosest to the strictest. */
const words: readonly Word[] = ["allow", "ask", "deny"]
const risks = ["safe", "read", "write", "exec"] as const
type Words = Readonly<Record<(typeof risks)[number], Word>>

/** What an agent may say about it: `tools_config.approval`, with a word for each class, and under `tools` for single tools by name. */
interface Wishes {
  [risk: string]: unknown
  tools?: unknown
  expirySeconds?: unknown
}

/** What becomes of a call. The gateway's words hold where the agent says nothing; a class that nobody knows counts as the riskiest. */
export function wordFor(gateway: Words & { agentsMayLoosen: boolean }, agent: AgentProfile | null, tool: string, risk: string): Word {
  const known = risks.find((name) => name === risk) ?? "exec"
  const general = gateway[known]
  const wishes = wishesOf(agent)
  const wish = memberOf(wishes.tools, tool) ?? memberOf(wishes, known)
  if (wish === undefined) return general
  // A word that is none was meant to say something: somebody is asked.
  const wished = words.find((word) => word === wish) ?? "ask"
  return gateway.agentsMayLoosen || words.indexOf(wished) > words.indexOf(general) ? wished : general
}

const described = {
  safe: "Tools that read nothing private and change nothing.",
  read: "Tools that read the tenant's data.",
  write: "Tools that change the tenant's data.",
  exec: "Tools that run something, or reach outside.",
} as const

/** Source: wire contract, http-core 2: `default` is what holds unless an agent opens the class. */
export function groupsOf(gateway: Words) {
  return risks.map((name) => ({ name, description: described[name], default: gateway[name] !== "allow" }))
}

/** An agent's own limit, within the gateway's bounds. */
export function expiryOf(agent: AgentProfile | null, general: number): number {
  const { expirySeconds } = wishesOf(agent)
  return typeof expirySeconds === "number" && expirySeconds >= 1 ? Math.min(Math.trunc(expirySeconds), 3_500) : general
}

function wishesOf(agent: AgentProfile | null): Wishes {
  const wishes = agent?.toolsConfig.approval
  return typeof wishes === "object" && wishes !== null ? (wishes as Wishes) : {}
}

function memberOf(object: unknown, name: string): unknown {
  if (typeof object !== "object" || object === null || !Object.hasOwn(object, name)) return undefined
  return (object as Record<string, unknown>)[name] ?? undefined
}
