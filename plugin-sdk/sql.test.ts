import { deepEqual, equal } from "node:assert/strict"
import fc from "fast-check"
import { jsonText } from "./sql.ts"

describe("jsonText", () => {
  it("keeps what a database can hold as it is", () => {
    for (const value of [{ a: "🤦 \\u0000 \\ud83d" }, ["\\", '"', "\u202e\ufffd", "\n"], "\\\\u0000", null, 1.5, {}]) {
      equal(jsonText(value), JSON.stringify(value))
    }
  })

  it("replaces what it cannot, in names and values", () => {
    deepEqual(JSON.parse(jsonText({ "a\0": ["b\ud83d", "\udd26\0\0", "\\\0", "🤦\0"] })), { "a\ufffd": ["b\ufffd", "\ufffd\ufffd\ufffd", "\\\ufffd", "🤦\ufffd"] })
  })

  it("does so for every text", () => {
    const text = fc.string({ unit: fc.constantFrom("\0", "\\", "u0000", "ud83d", "\ud83d", "\udd26", '"', "n", "\n") })
    fc.assert(
      fc.property(text, (given) => JSON.parse(jsonText({ [given]: given }))[given.toWellFormed().replaceAll("\0", "\ufffd")] === given.toWellFormed().replaceAll("\0", "\ufffd")),
    )
  })
})
