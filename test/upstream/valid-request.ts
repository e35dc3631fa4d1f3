import { deepEqual, equal, ok } from "node:assert/strict"

// What the public references of two APIs demand of a conversation; each of them refuses a request that breaks one of these. For tests.

interface OpenAiMessage {
  role: string
  content?: unknown
  tool_call_id?: string
  tool_calls?: { id: string; function: { name: string; arguments: string } }[]
}

/** OpenAI, "Create chat completion". */
export function validForOpenAi({ messages }: { messages: OpenAiMessage[] }): void {
  const said = messages.filter(({ role }) => role !== "system")
  deepEqual(
    messages.slice(0, messages.length - said.length).filter(({ role }) => role !== "system"),
    [],
    "the system's words come first",
  )
  equal(said[0]?.role, "user", "a user begins")
  let open: string[] = []
  for (const { role, content, tool_calls: calls, tool_call_id: id } of said) {
    if (role === "tool") {
      ok(open.includes(id ?? ""), `a result without its call: ${id}`)
      open = open.filter((other) => other !== id)
    } else deepEqual(open, [], "calls are answered before anybody speaks")
    if (calls) {
      open = calls.map((call) => call.id)
      equal(new Set(open).size, calls.length, "ids differ")
      for (const call of calls) JSON.parse(call.function.arguments)
    } else ok(typeof content === "string" ? content.length > 0 : Array.isArray(content) && content.length > 0, `${role} says nothing`)
  }
  deepEqual(open, [], "every call is answered")
  ok(said.at(-1)?.role !== "assistant", "the model is to speak next")
}

interface Block {
  type: string
  text?: string
  id?: string
  tool_use_id?: string
}

/** Anthropic, "Create a message" and "Tool use". */
export function validForAnthropic({ messages, system }: { messages: { role: string; content: string | Block[] }[]; system?: unknown }): void {
  ok(system === undefined || system !== "", "no empty system prompt")
  equal(messages[0]?.role, "user", "a user begins")
  let open: string[] = []
  for (const [at, { role, content }] of messages.entries()) {
    equal(role, at % 2 === 0 ? "user" : "assistant", "they take turns")
    const blocks = typeof content === "string" ? [{ type: "text", text: content } as Block] : content
    ok(blocks.length > 0, "no empty message")
    for (const block of blocks) if (block.type === "text") ok((block.text ?? "").trim() !== "", "no empty text")
    const results = blocks.filter(({ type }) => type === "tool_result").map(({ tool_use_id }) => tool_use_id as string)
    deepEqual(results.toSorted(), open.toSorted(), "each call is answered once, in the next message")
    deepEqual(
      blocks.slice(0, results.length).filter(({ type }) => type !== "tool_result"),
      [],
      "results come first",
    )
    open = blocks.filter(({ type }) => type === "tool_use").map(({ id }) => id as string)
    equal(new Set(open).size, open.length, "ids differ")
  }
  deepEqual(open, [], "every call is answered")
  equal(messages.at(-1)?.role, "user", "the model is to speak next")
}
