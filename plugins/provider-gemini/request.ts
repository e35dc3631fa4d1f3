import type { Content, FunctionCallingConfig, GenerationConfig, Part, Tool } from "@google/genai/web"
import { effortOf, inlineImageOf, type LlmRequest, type ModelMessage, type ProviderConnection } from "@plugboard/sdk"
import { keptIn, thinkingOf, versionOf } from "./thinking.ts"

// Gemini's generateContent on the wire, held to the official package's types. Source: the public API reference, "Generating content".

export interface RequestBody {
  contents: Content[]
  systemInstruction?: { parts: Part[] }
  tools?: Tool[]
  toolConfig?: { functionCallingConfig: FunctionCallingConfig }
  generationConfig?: GenerationConfig
}

export function requestBody(request: LlmRequest, connection: ProviderConnection): RequestBody {
  const system = request.messages.filter(({ role, content }) => role === "system" && content.length > 0)
  const config = configOf(request, connection)
  return {
    contents: contentsOf(request),
    ...(system.length > 0 && { systemInstruction: { parts: system.flatMap(({ content }) => partsOf(content)) } }),
    ...(request.tools?.length && {
      tools: [{ functionDeclarations: request.tools.map(({ name, description, parameters }) => ({ name, description, parametersJsonSchema: parameters })) }],
    }),
    ...(request.tools?.length && request.toolChoice && { toolConfig: { functionCallingConfig: callingOf(request.toolChoice) } }),
    ...(Object.keys(config).length > 0 && { generationConfig: config }),
  }
}

function callingOf(choice: NonNullable<LlmRequest["toolChoice"]>): FunctionCallingConfig {
  const mode = (name: "AUTO" | "ANY" | "NONE") => name as FunctionCallingConfig["mode"]
  if (typeof choice === "object") return { mode: mode("ANY"), allowedFunctionNames: [choice.name] }
  return { mode: mode(choice === "required" ? "ANY" : choice === "none" ? "NONE" : "AUTO") }
}

function configOf(request: LlmRequest, connection: ProviderConnection): GenerationConfig {
  const { type, json_schema: given } = (request.responseFormat ?? {}) as { type?: string; json_schema?: { schema?: unknown } }
  const thinkingConfig = thinkingOf(request.model, effortOf(request, connection))
  return {
    ...(request.maxTokens && { maxOutputTokens: request.maxTokens }),
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.topP !== undefined && { topP: request.topP }),
    ...(request.stop?.length && { stopSequences: [...request.stop] }),
    ...((type === "json_object" || type === "json_schema") && { responseMimeType: "application/json" }),
    ...(given?.schema !== undefined && { responseJsonSchema: given.schema }),
    ...(thinkingConfig && { thinkingConfig }),
  }
}

/** Neighbours of one role are one content: answers to calls made at once must stand together. */
function contentsOf({ messages, model }: LlmRequest): Content[] {
  const contents: { role: string; parts: Part[] }[] = []
  const names = new Map<string, string>()
  for (const message of messages) {
    if (message.role === "system") continue
    for (const { id, name } of message.toolCalls ?? []) names.set(id, name)
    const role = message.role === "assistant" ? "model" : "user"
    const parts = message.role === "tool" ? answerParts(message, names) : role === "model" ? spokenParts(message, model) : partsOf(message.content)
    const last = contents.at(-1)
    if (last?.role === role) last.parts.push(...parts)
    else if (parts.length > 0) contents.push({ role, parts })
  }
  return contents
}

/** An answer names the function; the call knows which. Images follow it. */
function answerParts({ toolCallId = "", content, isError }: ModelMessage, names: ReadonlyMap<string, string>): Part[] {
  const parts = partsOf(content)
  const text = parts.map((part) => part.text ?? "").join("")
  const functionResponse = { name: names.get(toolCallId) ?? "unknown", response: { [isError ? "error" : "result"]: text } }
  return [{ functionResponse }, ...parts.filter(({ text: said }) => said === undefined)]
}

/** From Gemini 3 on the first call of a message must be signed; this stands for the signature of one that another provider made. Source: the public guide, "Thought signatures". */
const unsigned = "skip_thought_signature_validator"

function spokenParts(message: ModelMessage, model: string): Part[] {
  const text = partsOf(message.content)
    .map((part) => part.text ?? "")
    .join("")
  const kept = keptIn(message)
  const parts: Part[] = []
  let said = 0
  for (const one of kept) {
    if (!("characters" in one)) continue
    parts.push({ text: text.slice(said, one.characters), thoughtSignature: one.signature })
    said = Math.max(said, one.characters)
  }
  if (said < text.length) parts.push({ text: text.slice(said) })
  const signatures = new Map(kept.flatMap((one) => ("call" in one ? [[one.call, one.signature] as const] : [])))
  for (const [at, { name, arguments: args }] of (message.toolCalls ?? []).entries()) {
    const thoughtSignature = signatures.get(at) ?? (at === 0 && versionOf(model) >= 3 ? unsigned : undefined)
    parts.push({ functionCall: { name, args: { ...args } }, ...(thoughtSignature !== undefined && { thoughtSignature }) })
  }
  return parts
}

function partsOf(content: ModelMessage["content"]): Part[] {
  if (typeof content === "string") return content === "" ? [] : [{ text: content }]
  return content.map((part): Part => {
    if (part.type === "text") return { text: part.text }
    const image = inlineImageOf(part.url)
    return image ? { inlineData: { mimeType: image.mediaType, data: image.data } } : { fileData: { fileUri: part.url } }
  })
}
