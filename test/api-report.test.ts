import { equal } from "node:assert/strict"
import { readFileSync } from "node:fs"
import { apiReport, reportPath } from "../.ci/api-report.ts"

describe("the public surface of the SDK", () => {
  it("is the one that plugin-sdk/api.md reports (npm run api writes it anew)", () => {
    equal(readFileSync(reportPath, "utf8"), apiReport())
  })
})
