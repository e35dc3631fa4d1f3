/** `chat_behavior` of a channel instance, as far as it decides what is sent. Source: wire contract, http-features 7. */
export interface ChatBehavior {
  enabled?: boolean
  quick_ack?: { enabled?: boolean; max_chars?: number }
  intermediate_replies?: { enabled?: boolean }
  final_split?: { enabled?: boolean }
}
interface Answer {
  content: string
  isStreaming: boolean
  hasToolCalls: boolean
}

/** Characters of an acknowledgement when the settings do not say. */
const shortest = 200

/**
 * What a channel sends of an answer: at once, while tools are at work, its first sentence; and at its end its paragraphs, one message each.
 * What streams is seen as it comes, so that nothing of it is sent ahead.
 */
export function previewOf({ enabled = false, quick_ack, final_split }: ChatBehavior, { content, isStreaming, hasToolCalls }: Answer) {
  const text = content.trim()
  const early = enabled && quick_ack?.enabled === true && hasToolCalls && !isStreaming && text !== ""
  return {
    ack: { shouldSend: early, content: early ? firstSentence(text).slice(0, quick_ack?.max_chars ?? shortest) : "", source: early ? "content" : "none" },
    split: { parts: enabled && final_split?.enabled === true ? paragraphs(text) : text === "" ? [] : [text] },
  }
}

function firstSentence(text: string): string {
  return /^.*?[.!?。！？](?=\s|$)/s.exec(text)?.[0] ?? text.split("\n", 1)[0] ?? text
}

/** Code stays in one piece, whatever blank lines it has. */
function paragraphs(text: string): string[] {
  const parts: string[] = []
  let fenced = false
  for (const piece of text.split(/\n[ \t]*\n/)) {
    if (fenced) parts.push(`${parts.pop()}\n\n${piece}`)
    else if (piece.trim() !== "") parts.push(piece.trim())
    if ((piece.match(/^[ \t]*```/gm)?.length ?? 0) % 2 === 1) fenced = !fenced
  }
  return parts
}
