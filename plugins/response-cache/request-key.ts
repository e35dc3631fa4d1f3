import { createHash } from "node:crypto"
import type { CallingLlm } from "@plugboard/sdk"

/** What is compared of a request. */
export interface RequestKey {
  /** Of all that is asked. */
  key: string
  /** Of all but the last question, and that question; left out where the last word is not a user's text. */
  alike?: { rest: string; question: string }
}
interface Message {
  role?: unknown
  content?: unknown
}

/** In another form of words the same request would be another. The client's own words also ask for their form: a stream is kept as a stream. */
export function requestKey({ provider, request, body }: CallingLlm, semantic: boolean): RequestKey {
  const asked = body ?? { ...request, stream: undefined, cache: undefined }
  const form = body ? "body" : "request"
  const key = hashOf([form, provider, asked])
  const messages = (Array.isArray(asked.messages) ? asked.messages : []) as readonly Message[]
  const question = semantic ? textOf(messages.at(-1)) : undefined
  if (question === undefined) return { key }
  return { key, alike: { question, rest: hashOf([form, provider, { ...asked, messages: [...messages.slice(0, -1), { ...messages.at(-1), content: null }] }]) } }
}

function textOf(message: Message | undefined): string | undefined {
  if (message?.role !== "user") return undefined
  if (typeof message.content === "string") return message.content.trim() || undefined
  const parts = Array.isArray(message.content) ? (message.content as { type?: unknown; text?: unknown }[]) : []
  return parts.length > 0 && parts.every(({ type, text }) => type === "text" && typeof text === "string") ? parts.map(({ text }) => text).join("\n") : undefined
}

function hashOf(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex")
}

/** JSON with members in order; those without a value are left out, as JSON does. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item ?? null)).join()}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  members.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join()}}`
}
