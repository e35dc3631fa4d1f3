import { type Fault, faultsIn } from "./faults.ts"
import { type Format, type Said, spoken, words } from "./format.ts"
import { type Answer, type Received, type Reply, type Server, startServer } from "./server.ts"

/** How a provider is asked. */
export interface Speech {
  format: Format
  /** What stands behind the origin in a provider's address. */
  base: string
  asked(received: Received): { what: "chat"; model: string; streaming: boolean } | { what: "models" | "embeddings" } | undefined
  keyIn(received: Received): string | undefined
  /** The text of the last user message. */
  lastText(received: Received): string
  /** Body of the list of models, and of an answer with vectors. */
  models(received: Received): string
  embeddings(received: Received): string
  /** What this provider takes amiss in a request: status and body. */
  refuses?(received: Received): { status: number; body: string } | undefined
  /** Beside those of `faults.ts`, and before them. */
  faults?: Readonly<Record<string, Fault>>
}

export interface Upstream {
  /** As a provider's address is given. */
  readonly url: string
  readonly requests: Received[]
  /** Tokens of whole answers, as a provider would bill them. */
  readonly billed: { promptTokens: number; completionTokens: number }
  /** Answers every chat from now on; undefined: by the model's name again. */
  script(script: Answer | undefined): void
  close(): Promise<void>
}

export interface UpstreamOptions {
  /** Refuses every other key. */
  key?: string
}

const paragraph = words(50)
const promptTokens = 20

/**
 * A provider on this machine. The model's name chooses the answer: `words-N` (and any other name, with N = 50), `echo`, `large` (1 MiB in pieces of 1 KiB),
 * or a fault of `faults.ts`. Answers are made once, so that a bench measures the caller.
 */
export async function startProvider(speech: Speech, { key }: UpstreamOptions = {}): Promise<Upstream> {
  const { format } = speech
  const faults: Readonly<Record<string, Fault>> = { ...faultsIn(format), ...speech.faults }
  const made = new Map<string, Buffer>()
  const billed = { promptTokens: 0, completionTokens: 0 }
  let script: Answer | undefined

  function chat(received: Received, reply: Reply, model: string, streaming: boolean): void | Promise<void> {
    if (script) return script(received, reply)
    const refusal = speech.refuses?.(received)
    if (refusal) return reply.json(refusal.status, refusal.body)
    const { name, numbers } = namedFault(faults, model)
    if (name) return faults[name]?.(reply, numbers, received)
    const texts = model === "echo" ? (speech.lastText(received).match(/\s*\S+\s*/g) ?? [""]) : textsOf(model)
    billed.promptTokens += promptTokens
    billed.completionTokens += texts.length
    const said: Said = { texts, finish: "stop", spent: { prompt: promptTokens, completion: texts.length } }
    const make = () => Buffer.from(streaming ? spoken(format.voice(model), said) : format.whole(model, said))
    reply.send(200, streaming ? "text/event-stream" : "application/json", model === "echo" ? make() : madeOnce(`${model} ${streaming}`, make))
  }

  function madeOnce(slot: string, make: () => Buffer): Buffer {
    const known = made.get(slot) ?? make()
    made.set(slot, known)
    return known
  }

  const server: Server = await startServer((received, reply) => {
    if (key !== undefined && speech.keyIn(received) !== key) return reply.json(401, format.failure(401, "Incorrect API key provided."))
    const asked = speech.asked(received)
    if (asked?.what === "chat") return chat(received, reply, asked.model, asked.streaming)
    if (asked?.what === "models") return reply.json(200, speech.models(received))
    if (asked?.what === "embeddings") return reply.json(200, speech.embeddings(received))
    return reply.json(404, format.failure(404, `Unknown request URL: ${received.path}`))
  })
  return {
    url: server.origin + speech.base,
    requests: server.requests,
    billed,
    script: (next) => {
      script = next
    },
    close: server.close,
  }
}

/** `cut-after-3` is the fault `cut-after` with 3. */
function namedFault(faults: Readonly<Record<string, Fault>>, model: string): { name: string | undefined; numbers: number[] } {
  const [, name = "", rest = ""] = /^(.*?)((?:-\d+)*)$/.exec(model) ?? []
  return { name: Object.hasOwn(faults, name) ? name : undefined, numbers: rest.split("-").slice(1).map(Number) }
}

function textsOf(model: string): string[] {
  if (model === "large") return Array.from({ length: 1_024 }, () => "x".repeat(1_024))
  const count = /^words-(\d+)$/.exec(model)?.[1]
  return count === undefined ? paragraph : words(Number(count))
}
