/** One activation of a plugin. Two of one plugin exist side by side while it is upgraded: same `id`, different objects. */
export interface Owner {
  readonly id: string
}

interface Claim<V> {
  owner: Owner
  value: V
  /** What stood here before, by an older activation of the same plugin. It stands again when this one is given up. */
  below: Claim<V> | undefined
}

/** Names that belong to one plugin each. A new activation of the plugin may take a name over, and hand it back when it does not come up. */
export class Claims<V> {
  readonly #claims = new Map<string, Claim<V>>()

  /** Fails, naming both, when another plugin has the name. */
  claim(name: string, owner: Owner, value: V, what: string): void {
    const present = this.#claims.get(name)
    if (present && present.owner.id !== owner.id) throw new Error(`${what} ${name} belongs to ${present.owner.id} already; ${owner.id} cannot have it too`)
    this.#claims.set(name, { owner, value, below: present?.owner === owner ? present.below : present })
  }

  /** Everything of this activation goes; what it had taken over from an older one stands again. */
  release(owner: Owner): void {
    for (const [name, claim] of this.#claims) {
      const rest = without(claim, owner)
      if (rest === claim) continue
      if (rest) this.#claims.set(name, rest)
      else this.#claims.delete(name)
    }
  }

  get(name: string): { readonly owner: Owner; readonly value: V } | undefined {
    return this.#claims.get(name)
  }

  entries(): (readonly [string, { readonly owner: Owner; readonly value: V }])[] {
    return [...this.#claims].sort(([a], [b]) => (a < b ? -1 : 1))
  }
}

function without<V>(claim: Claim<V>, owner: Owner): Claim<V> | undefined {
  if (claim.owner === owner) return claim.below
  if (!claim.below) return claim
  const below = without(claim.below, owner)
  return below === claim.below ? claim : { ...claim, below }
}
