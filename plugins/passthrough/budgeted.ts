import { type BudgetHold, type Caller, type Host, heldAnswer, holdBudget } from "@plugboard/sdk"
import type { Asked } from "./asked.ts"
import type { CallRecord } from "./call-record.ts"
import type { manifest } from "./manifest.ts"

/** How much a call may use. */
interface Size {
  provider: string
  model: string
  /** Of the answer; undefined: the call does not limit it. */
  maxTokens?: number
  /** What is sent. */
  prompt: unknown
}

/** A provider's answer under the budgets that hold for the call. Its record settles them, on every way out. */
export function createBudgeted(host: Host<typeof manifest>) {
  return function budgeted<T>(caller: Caller, record: CallRecord, { prompt, ...call }: Size, ask: (held: BudgetHold | undefined) => AsyncIterable<T>): AsyncIterable<T> {
    async function setAside() {
      record.hold = await holdBudget(host, caller, call, prompt)
      return record.hold
    }
    return heldAnswer(setAside, ask, () => record.events)
  }
}

const choicesIn = ({ n }: Asked["body"]) => Math.max(1, Number(n) || 1)

/** What an answer that comes whole may have of each choice; undefined: as much as it likes. */
export function mostTokens({ body }: Asked, bound: number | undefined): number | undefined {
  return bound === undefined || body.stream === true ? undefined : Math.max(1, Math.floor(bound / choicesIn(body)))
}

/** The size of a call in OpenAI's format: of all the choices that it asks for together; vectors are no answer in tokens. */
export function bodyLimits({ provider, model, body }: Asked): Size {
  const { messages, tools, input, max_tokens, max_completion_tokens } = body
  const limit = Number(max_completion_tokens ?? max_tokens)
  const most = input !== undefined ? 0 : limit > 0 ? limit * choicesIn(body) : undefined
  return { provider, model, maxTokens: most, prompt: { messages, tools, input } }
}
