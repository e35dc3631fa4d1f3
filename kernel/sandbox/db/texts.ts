import { hash } from "node:crypto"
import type { Query } from "@plugboard/sdk"
import { rawQuery } from "../../db/raw-query.ts"
import { gateStatement } from "../sql/statement.ts"

/** Plans that the server keeps for one plugin on each of its connections. */
const namedLimit = 100
/** What the protocol can count. */
const mostValues = 65_535

/** Texts of one plugin that have passed the gate, which keeps its verdicts, and the names that their plans are kept under. */
export class Texts {
  readonly #schema: string
  readonly #named = new Map<string, string>()

  constructor(schema: string) {
    this.#schema = schema
  }

  async gated(text: string, values: readonly unknown[]): Promise<{ query: Query<Record<string, unknown>>; name: string }> {
    if (typeof text !== "string" || !Array.isArray(values) || values.length > mostValues) throw new Error("a query is a text and a list of values")
    const gated = await gateStatement(text, this.#schema)
    return { query: rawQuery(gated.text, values), name: this.#nameOf(gated.text) }
  }

  #nameOf(text: string): string {
    const known = this.#named.get(text)
    if (known !== undefined) return known
    if (this.#named.size >= namedLimit) return ""
    // On the embedded database all share one connection, and a name means one text there.
    const name = `x_${hash("sha1", text, "hex")}`
    this.#named.set(text, name)
    return name
  }
}
