import type { Remote, ServiceToken } from "@plugboard/sdk"
import semver from "semver"
import { fail } from "../failures.ts"
import { Claims, type Owner } from "./claims.ts"

interface Offer {
  version: string
  implementation: object
  /** Whether it serves those who want a version, by that version. Compared once: comparing costs as much as the calls of a turn. */
  serves: Map<string, boolean>
}

type Method = (...args: unknown[]) => unknown

/** Copies what crosses, as a process border would: functions and class instances do not survive. */
export type Crossing = <T>(value: T) => T
export const sameProcess: Crossing = (value) => value

/** Services by name. A user holds a proxy, which looks the service up at each call: it may come, go and come back. */
export class Services {
  readonly #offers = new Claims<Offer>()
  readonly #cross: Crossing

  constructor(cross: Crossing) {
    this.#cross = cross
  }

  offer(owner: Owner, token: ServiceToken<unknown>, implementation: object): void {
    this.#offers.claim(token.service, owner, { version: token.version, implementation, serves: new Map() }, "service")
  }

  withdraw(owner: Owner): void {
    this.#offers.release(owner)
  }

  /** `isOff`: somebody does without the plugin that offers it. */
  has(token: ServiceToken<unknown>, isOff?: (plugin: string) => boolean): boolean {
    const offer = this.#offers.get(token.service)
    if (offer === undefined) return false
    const serves = offer.value.serves.get(token.version) ?? semver.satisfies(offer.value.version, `^${token.version}`)
    offer.value.serves.set(token.version, serves)
    return serves && !isOff?.(offer.owner.id)
  }

  use<T>(user: string, token: ServiceToken<T>): Remote<T> {
    const cross = this.#cross
    const methods = new Map<PropertyKey, Method>()
    const resolve = () => {
      if (!this.has(token)) throw fail("service_missing", { service: token.service, user }, { retryAfterMs: 1_000 })
      return this.#offers.get(token.service)?.value.implementation as Record<PropertyKey, Method>
    }
    return new Proxy({} as Record<PropertyKey, unknown>, {
      get: (_, name) => {
        // `then`: so that a proxy which is returned from an async function is not taken for a promise.
        if (typeof name === "symbol" || name === "then") return undefined
        const known = methods.get(name)
        if (known) return known
        const direct: Method = (...args) => (resolve()[name] as Method)(...args)
        const method: Method = cross === sameProcess ? direct : (...args) => crossAnswer(cross, direct(...args.map((arg) => crossArgument(cross, arg))))
        methods.set(name, method)
        return method
      },
    }) as Remote<T>
  }
}

function crossArgument(cross: Crossing, value: unknown): unknown {
  if (value instanceof AbortSignal) return value
  return isAsyncIterable(value) ? crossIterable(cross, value) : cross(value)
}

function crossAnswer(cross: Crossing, answer: unknown): unknown {
  if (isAsyncIterable(answer)) return crossIterable(cross, answer)
  return Promise.resolve(answer).then((value) => (isAsyncIterable(value) ? crossIterable(cross, value) : cross(value)))
}

async function* crossIterable(cross: Crossing, source: AsyncIterable<unknown>): AsyncIterable<unknown> {
  for await (const item of source) yield cross(item)
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value
}
