import {
  type AgentFile,
  type AgentProfile,
  AnswerBuilder,
  type BudgetHold,
  type Caller,
  estimateUsage,
  type Host,
  heldAnswer,
  holdBudget,
  type LlmRequest,
  Providers,
} from "@plugboard/sdk"
import type { manifest } from "./manifest.ts"

const mostChars = 50_000
const written = ["SOUL.md", "IDENTITY.md", "USER_PREDEFINED.md"] as const

/** What a model has made of a description. */
export interface Being {
  files: AgentFile[]
  displayName?: string
  frontmatter?: string
}

const instructions = `You define AI agents. From what you are told of one, write who it is, in the language in which you are told.
Answer with one JSON object and nothing else. Its members are texts:
"SOUL.md": Markdown, 10 to 30 lines: its manner, tone and values, what it does and what it declines. Addressed to the agent as "you".
"IDENTITY.md": Markdown with the lines "- Name: ", "- Emoji: " and "- Description: ", each filled in.
"USER_PREDEFINED.md": Markdown on what holds for all its users. Leave it out unless you are told something of them.
"display_name": its name, three words at most.
"frontmatter": one sentence that tells another agent what this one is for.`

/** Asks a model; null when no files are in its answer. Fails as the provider does. */
export async function writeBeing(host: Host<typeof manifest>, caller: Caller, agent: AgentProfile, wish: string, present: readonly AgentFile[], signal: AbortSignal) {
  const providers = host.use(Providers)
  const route = await modelOf(host, caller, agent)
  if (!route) throw host.fail("no_model", { agent: agent.key })
  const known = present.filter(({ name, content }) => (written as readonly string[]).includes(name) && content.trim() !== "")
  const told = [
    `The agent's key is ${agent.key}${agent.displayName === agent.key ? "" : `, its name ${agent.displayName}`}${agent.emoji && `, its emoji ${agent.emoji}`}.`,
    agent.description,
    ...(wish === "" ? [] : [...known.map(({ name, content }) => `${name} as it is:\n\n${content.slice(0, mostChars)}`), `Write all files again with this change: ${wish}`]),
  ]
  const request: LlmRequest = {
    model: route.model,
    messages: [
      { role: "system", content: instructions },
      { role: "user", content: told.filter(Boolean).join("\n\n") },
    ],
    maxTokens: host.config.maxTokens,
    stream: true,
  }
  const answer = new AnswerBuilder()
  let hold: BudgetHold | undefined
  const setAside = async () => {
    hold = await holdBudget(host, caller, { agent, ...route, maxTokens: request.maxTokens }, request.messages)
    return hold
  }
  const ask = () => providers.chat(caller, route.provider, request, signal)
  try {
    for await (const batch of heldAnswer(setAside, ask, () => answer.size / 4)) {
      answer.take(batch)
      if (answer.size > 4 * mostChars) break
    }
  } finally {
    const usage = answer.usage ?? (answer.size > 0 ? estimateUsage(request.messages, answer.size) : undefined)
    hold?.settle(usage ? [{ ...route, usage }] : [])
  }
  return beingIn(answer.text)
}

/** Where the agent is asked; null when that is a provider which asks no model, or none at all. */
export async function modelOf(host: Host<typeof manifest>, caller: Caller, agent: AgentProfile): Promise<{ provider: string; model: string } | null> {
  const providers = host.use(Providers)
  const fallback = agent.provider === "" ? await providers.fallback(caller) : null
  const provider = agent.provider || fallback?.provider || ""
  const facts = provider === "" ? null : await providers.facts(caller, provider)
  if (!facts?.enabled || facts.baseUrl === "") return null
  return { provider, model: agent.model || fallback?.model || (await providers.defaultModel(caller, provider)) || "" }
}

/** Models like to put their JSON between other words. */
export function beingIn(answer: string): Being | null {
  let told: Record<string, unknown>
  try {
    told = JSON.parse(answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1)) as Record<string, unknown>
  } catch {
    return null
  }
  const text = (name: string, most: number) => {
    const value = told[name]
    return typeof value === "string" && value.trim() !== "" ? value.trim().slice(0, most) : undefined
  }
  const files = written.flatMap((name) => {
    const content = text(name, mostChars)
    return content === undefined ? [] : [{ name, content }]
  })
  if (!["SOUL.md", "IDENTITY.md"].every((name) => files.some((file) => file.name === name))) return null
  const [displayName, frontmatter] = [text("display_name", 255), text("frontmatter", 2_000)]
  return { files, ...(displayName && { displayName }), ...(frontmatter && { frontmatter }) }
}

/** Where no model is asked. */
export function plainBeing(agent: AgentProfile): Being {
  const { displayName, emoji, description } = agent
  return {
    files: [
      { name: "SOUL.md", content: `You are ${displayName}.\n\n${description}\n` },
      { name: "IDENTITY.md", content: `- Name: ${displayName}\n${emoji && `- Emoji: ${emoji}\n`}- Description: ${description.replace(/\s+/g, " ").slice(0, 2_000)}\n` },
    ],
  }
}
