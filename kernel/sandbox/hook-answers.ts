import type { HookName } from "@plugboard/sdk"
import { Ajv, type ValidateFunction } from "ajv"
import { type TSchema, Type } from "typebox"

const Text = Type.String({ maxLength: 4_000_000 })
const Name = Type.String({ maxLength: 1_000 })
const Count = Type.Number({ minimum: 0 })
const Optional = Type.Optional

const Part = Type.Union([Type.Object({ type: Type.Literal("text"), text: Text }), Type.Object({ type: Type.Literal("image"), url: Type.String() })])
const ToolCall = Type.Object({ id: Name, name: Name, arguments: Type.Object({}), parseError: Optional(Text) })
const Message = Type.Object({
  role: Type.Enum(["system", "user", "assistant", "tool"]),
  content: Type.Union([Text, Type.Array(Part)]),
  thinking: Optional(Text),
  toolCalls: Optional(Type.Array(ToolCall)),
  toolCallId: Optional(Name),
  isError: Optional(Type.Boolean()),
})
const Offer = Type.Object({ name: Name, description: Text, parameters: Type.Object({}), risk: Type.Enum(["safe", "read", "write", "exec"]) })
const Spec = Type.Object({ name: Name, description: Text, parameters: Type.Object({}) })
const Usage = Type.Object({
  promptTokens: Count,
  completionTokens: Count,
  cachedTokens: Count,
  cacheWriteTokens: Count,
  reasoningTokens: Count,
  estimated: Optional(Type.Boolean()),
})
const ToolResult = Type.Object({ content: Text, isError: Optional(Type.Boolean()) })
const Request = Type.Object({
  model: Name,
  messages: Type.Array(Message),
  tools: Optional(Type.Array(Spec)),
  maxTokens: Optional(Count),
  temperature: Optional(Type.Number()),
  responseFormat: Optional(Type.Object({})),
  stream: Type.Boolean(),
})

const DeltaShape = Type.Union([
  Type.Object({ type: Type.Enum(["text", "thinking"]), text: Text }),
  Type.Object({ type: Type.Literal("tool"), index: Type.Integer({ minimum: 0, maximum: 1_000 }), id: Optional(Name), name: Optional(Name), arguments: Optional(Text) }),
  Type.Object({ type: Type.Literal("usage"), usage: Usage }),
  Type.Object({ type: Type.Literal("finish"), reason: Type.Enum(["stop", "length", "tool_calls", "content_filter"]) }),
  // What a provider keeps of its own between two turns.
  Type.Object({ type: Type.Literal("state"), state: Type.Unknown() }),
])
const Batch = Type.Array(DeltaShape, { maxItems: 100_000 })
const Kept = Type.Object({
  provider: Name,
  model: Name,
  usage: Usage,
  pieces: Type.Array(Type.Object({ deltas: Batch, choice: Optional(Count), bytes: Optional(Text) }), { maxItems: 100_000 }),
})

/** What a tap may answer, as far as the gateway relies on it. */
const shapes: Partial<Record<HookName, TSchema>> = {
  "request.authorized": Type.Object({ kind: Type.Enum(["FORBIDDEN", "RESOURCE_EXHAUSTED"]), reason: Name, retryAfterMs: Optional(Count) }),
  "run.requested": Type.Object({ agentKey: Name, sessionKey: Name, message: Text, channel: Name, chatId: Name }),
  "prompt.assembling": Type.Object({
    runId: Name,
    agentKey: Name,
    sessionKey: Name,
    message: Text,
    sections: Type.Array(Type.Object({ key: Name, text: Text }), { maxItems: 1_000 }),
  }),
  "tools.resolving": Type.Object({ runId: Name, agentKey: Name, tools: Type.Array(Offer, { maxItems: 1_000 }) }),
  "llm.request": Type.Object({ runId: Name, provider: Name, iteration: Count, request: Request }),
  "llm.calling": Type.Union([Type.Object({ answer: Kept }), Type.Object({ keep: Type.Object({ most: Count }) })]),
  "llm.response": Type.Object({ runId: Name, provider: Name, model: Name, iteration: Count, message: Message, usage: Usage, finish: Name }),
  "llm.failed": Type.Object({ retryInMs: Optional(Count), provider: Optional(Name), model: Optional(Name) }),
  "tool.calling": Type.Union([Type.Object({ allow: Type.Literal(false), reason: Text }), Type.Object({ answer: ToolResult })]),
  "tool.called": Type.Object({ runId: Name, call: ToolCall, result: ToolResult }),
}

let ajv: Ajv | undefined
const compiled = new Map<TSchema, ValidateFunction>()

/** Throws when a tap's answer is not of its hook's shape: whoever called the hook takes it for granted. Undefined is the answer of one that has nothing to say. */
export function checkHookAnswer(hook: HookName, answer: unknown): void {
  const shape = shapes[hook]
  if (shape && answer !== undefined && answer !== null) demand(shape, answer, `its answer to ${hook}`)
}

/** Throws when it is no batch of deltas. */
export function checkBatch(batch: unknown): void {
  demand(Batch, batch, "what it put into the stream")
}

function demand(shape: TSchema, value: unknown, what: string): void {
  ajv ??= new Ajv({ strict: false })
  const fits = compiled.get(shape) ?? ajv.compile(shape)
  compiled.set(shape, fits)
  if (fits(value)) return
  const [error] = fits.errors ?? []
  throw new Error(`${what} does not fit: ${error?.instancePath || "/"} ${error?.message ?? ""}`)
}
