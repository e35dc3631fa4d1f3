import type { ModelMessage, Tap } from "@plugboard/sdk"
import { CardScanner } from "./card-scanner.ts"

/** What the model reads: every message of the conversation, also what tools have answered. */
export function redactRequest(mark: string): Tap<"llm.request"> {
  return function redactMessages(call) {
    const messages = call.request.messages.map((message) => redactMessage(message, mark))
    if (messages.every((message, at) => message === call.request.messages[at])) return call
    return { ...call, request: { ...call.request, messages } }
  }
}

/** What is stored and counted as the model's answer. */
export function redactAnswer(mark: string): Tap<"llm.response"> {
  return function redactWhole(answer) {
    const message = redactMessage(answer.message, mark)
    return message === answer.message ? answer : { ...answer, message }
  }
}

/** The same object when there is nothing to hide. */
function redactMessage(message: ModelMessage, mark: string): ModelMessage {
  const clean = (text: string) => redact(text, mark)
  const content = typeof message.content === "string" ? clean(message.content) : message.content.map((part) => (part.type === "text" ? { ...part, text: clean(part.text) } : part))
  const thinking = message.thinking === undefined ? undefined : clean(message.thinking)
  const same = textOf(content) === textOf(message.content) && thinking === message.thinking
  return same ? message : { ...message, content, ...(thinking !== undefined && { thinking }) }
}

function redact(text: string, mark: string): string {
  const scanner = new CardScanner(mark)
  return scanner.push(text) + scanner.end()
}

function textOf(content: ModelMessage["content"]): string {
  return typeof content === "string" ? content : content.map((part) => (part.type === "text" ? part.text : "")).join("\n")
}
