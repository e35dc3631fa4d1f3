import { setTimeout as sleep } from "node:timers/promises"
import { type AttemptReport, failureOf, type Host } from "@plugboard/sdk"
import { type Asked, type Asking, createAttempt, type Link } from "./attempt.ts"
import { Breakers } from "./breakers.ts"
import { createChains } from "./chains.ts"
import type { Connections } from "./connections.ts"
import { planned, recovered } from "./course.ts"
import { createExhaustion, type Miss } from "./exhaustion.ts"
import type { manifest } from "./manifest.ts"
import { createStanding } from "./standing.ts"
import { nameIn } from "./verdicts.ts"

/** An answer that has begun. From its first token to its last it is this provider's. */
export interface Reached<T> {
  answer: T
  provider: string
  /** When it is over, however. An error: it broke off, with a part of it handed on. */
  end(error?: unknown): Promise<void>
}

/** Attempts at providers in turn, each reported, until one of them answers. */
export function createRouting(host: Host<typeof manifest>, connections: Connections) {
  const breakers = new Breakers()
  const attempt = createAttempt(host, connections, breakers)
  const standing = createStanding(breakers)
  const chainOf = createChains(connections)
  const exhausted = createExhaustion(host)

  /** Plugins are told of each failure; what the first of them says goes before the plan. */
  function told({ caller, signal, route }: Asking<unknown>, at: { provider: string; model: string; number: number; ms: number }, error: unknown, begun: boolean) {
    const { provider, model, number, ms } = at
    const retryAfterMs = failureOf(error)?.retryAfterMs
    const failure = { runId: route.runId ?? "", provider, model, attempt: number, error: nameIn(error), ms, retryAfterMs, begun }
    return host.hooks.call("llm.failed", failure, { caller, signal })
  }

  return async function* reach<T>(asking: Asking<T>): AsyncGenerator<AttemptReport, Reached<T>, void> {
    const { caller, signal } = asking
    signal.throwIfAborted()
    let links = await chainOf(caller, asking.route, asking.model)
    const misses = new Map<string, Miss>()
    let tries = 0
    let most = 0
    for (let number = 1; ; number += 1) {
      const [link] = links as [Link, ...Link[]]
      const { provider } = link
      const asked: Asked = { model: link.model ?? "" }
      const began = performance.now()
      const outcome = await attempt(asking, link, links.length === 1, asked).catch((error: unknown) => ({ error }))
      const ms = Math.round(performance.now() - began)
      const { model } = asked
      most ||= links.length * (asked.target?.routing.maxAttempts ?? host.config.maxAttempts)
      const report = { number, most: Math.max(most, number) }

      if (!("error" in outcome)) {
        standing.answered(asked)
        let isWanted = false
        try {
          yield { ...report, attempt: { provider, model, ms }, again: false }
          isWanted = true
        } finally {
          if (!isWanted) outcome.drop()
        }
        const end = async (error?: unknown) => {
          outcome.close()
          if (error === undefined || signal.aborted) return
          standing.left(asked, nameIn(error))
          await told(asking, { provider, model, number, ms: Math.round(performance.now() - began) }, error, true)
        }
        return { answer: outcome.answer, provider, end }
      }

      const { error } = outcome
      if (signal.aborted) {
        standing.left(asked, "aborted")
        if (asked.asked) yield { ...report, attempt: { provider, model, ms, error: "aborted", usage: asking.spent("aborted") }, again: false }
        throw signal.reason
      }
      tries += 1
      misses.set(`${provider} ${model}`, { provider, model, error })
      const name = nameIn(error)
      const retryAfterMs = failureOf(error)?.retryAfterMs
      const plan = standing.failed(asked, name, tries, retryAfterMs)
      const own = await told(asking, { provider, model, number, ms }, error, false)
      const next = own && number < most ? recovered(own, links) : planned(plan, error, links)
      if ((own || !plan.again) && standing.left(asked, name)) host.log.warn({ provider, model, error: name, tenant: caller.tenantId }, "model left alone for a while")
      if (next && !failureOf(error)) host.log.error({ err: error, provider, model, tenant: caller.tenantId }, "call of a provider broke down")
      const reason = (await host.describe(error, caller.locale)) ?? (failureOf(error)?.params.reason as string | undefined)
      const facts = { provider, model, ms, error: name, reason, retryAfterMs, usage: asked.asked && asking.spent(name) }
      yield { ...report, attempt: facts, again: next !== undefined }
      if (!next) throw await exhausted(caller, [...misses.values()])
      if (next.links[0] !== link) tries = 0
      links = next.links
      if (next.waitMs > 0) await sleep(next.waitMs, undefined, { signal }).catch(() => undefined)
      signal.throwIfAborted()
    }
  }
}
