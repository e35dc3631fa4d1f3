import { deepEqual } from "node:assert/strict"
import { pageOf } from "./index.ts"

describe("the page of a list", () => {
  const cases: [{ limit?: string; offset?: string }, { limit: number; offset: number }][] = [
    [{}, { limit: 50, offset: 0 }],
    [
      { limit: "20", offset: "40" },
      { limit: 20, offset: 40 },
    ],
    [
      { limit: "many", offset: "some" },
      { limit: 50, offset: 0 },
    ],
    [
      { limit: "0", offset: "-1" },
      { limit: 50, offset: 0 },
    ],
    [{ limit: "-5" }, { limit: 50, offset: 0 }],
    [{ limit: "5000" }, { limit: 200, offset: 0 }],
    [
      { limit: "1e999", offset: "1e999" },
      { limit: 200, offset: 0 },
    ],
    [
      { limit: "2.9", offset: "1.9" },
      { limit: 2, offset: 1 },
    ],
  ]
  for (const [query, page] of cases) it(`of ${JSON.stringify(query)} is ${JSON.stringify(page)}`, () => deepEqual(pageOf(query, 200, 50), page))
})
