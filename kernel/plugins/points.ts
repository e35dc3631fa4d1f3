import type { Caller, PointToken, PointUsers } from "@plugboard/sdk"
import { Claims, type Owner } from "./claims.ts"

/** Extension points by name. Anyone may contribute before or after the point is opened; a user sees arrivals and departures at once. */
export class Points {
  readonly #points = new Map<string, Claims<object>>()
  readonly isOff: (plugin: string, tenantId: string) => boolean

  /** `isOff`: true when a tenant does without a plugin; it does not see what that one contributes. */
  constructor(isOff: (plugin: string, tenantId: string) => boolean) {
    this.isOff = isOff
  }

  contribute(owner: Owner, token: PointToken<unknown>, key: string, item: object): void {
    this.#of(token.point).claim(key, owner, item, token.point)
  }

  withdraw(owner: Owner): void {
    for (const claims of this.#points.values()) claims.release(owner)
  }

  open<T>(token: PointToken<T>): PointUsers<T> {
    const claims = this.#of(token.point)
    const hidden = (plugin: string, caller: Caller | undefined) => caller !== undefined && this.isOff(plugin, caller.tenantId)
    return {
      get(key, caller) {
        const claim = claims.get(key)
        return claim && !hidden(claim.owner.id, caller) ? (claim.value as T) : undefined
      },
      entries: (caller) =>
        claims
          .entries()
          .filter(([, { owner }]) => !hidden(owner.id, caller))
          .map(([key, { value }]) => [key, value as T] as const),
    }
  }

  #of(point: string): Claims<object> {
    const present = this.#points.get(point)
    if (present) return present
    const claims = new Claims<object>()
    this.#points.set(point, claims)
    return claims
  }
}
