import type { ModelMessage, PlacedMessage } from "@plugboard/sdk"

const head = "[Summary of the conversation before this point]"
const foot = "[End of the summary]"

/**
 * A conversation as its model is shown it. The summary of what came before stands in a user's message: in the system prompt the words of users and tools would have the prompt's authority.
 * In the first one, where it is a user's, because some models want the roles to take turns.
 */
export function shown(summary: string, conversation: readonly PlacedMessage[]): ModelMessage[] {
  const messages = conversation.map(({ message }) => message)
  if (summary === "") return messages
  const text = `${head}\n${summary}\n${foot}`
  const [first, ...rest] = messages
  if (first?.role !== "user") return [{ role: "user", content: text }, ...messages]
  const content = typeof first.content === "string" ? `${text}\n\n${first.content}` : [{ type: "text" as const, text }, ...first.content]
  return [{ ...first, content }, ...rest]
}
