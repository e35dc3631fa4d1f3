import type { LlmRecovery } from "@plugboard/sdk"
import type { Link } from "./attempt.ts"
import { Refusal } from "./refusal.ts"
import type { Plan } from "./standing.ts"
import { nameIn } from "./verdicts.ts"

/** Whom a call asks next, and when. */
export interface Next {
  waitMs: number
  /** The first of them, and the others behind it. */
  links: readonly Link[]
}

/** Undefined: the call ends here. */
export function planned(plan: Plan, error: unknown, links: readonly Link[]): Next | undefined {
  if (plan.again) return { waitMs: plan.waitMs, links }
  // What a provider's policy forbids is not for another one to say, and what is wrong with a request is wrong everywhere.
  if (nameIn(error) === "provider_content_filter" || (error instanceof Refusal && error.isTheClients) || links.length === 1) return undefined
  return { waitMs: 0, links: links.slice(1) }
}

/** As a plugin says. Another provider's model is its default, unless it is named. */
export function recovered({ retryInMs = 0, provider, model }: LlmRecovery, links: readonly Link[]): Next {
  const [link, ...others] = links as [Link, ...Link[]]
  const target = provider ?? link.provider
  const named = model ?? (target === link.provider ? link.model : undefined)
  if (target === link.provider && named === link.model) return { waitMs: retryInMs, links }
  return { waitMs: retryInMs, links: [{ provider: target, ...(named !== undefined && { model: named }) }, ...others] }
}
