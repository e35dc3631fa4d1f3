import { equal, match, rejects } from "node:assert/strict"
import { failureOf } from "@plugboard/sdk"

/** By what is tried: the texts, and how the refusal explains itself. */
export type Refusals = Readonly<Record<string, readonly (readonly [text: string, reason: RegExp])[]>>

/** One test a text, under what it tries. */
export function describeRefusals(refusals: Refusals, gate: (text: string) => Promise<unknown>): void {
  for (const [what, texts] of Object.entries(refusals)) {
    describe(what, () => {
      for (const [text, reason] of texts) {
        it(`are refused, with the reason: ${text}`, () =>
          rejects(gate(text), (error) => {
            const failure = failureOf(error)
            equal(failure?.name, "kernel.sql_refused")
            match(String(failure.params.reason), reason)
            return true
          }))
      }
    })
  }
}
