import { equal } from "node:assert/strict"
import type { Locale } from "@plugboard/sdk"
import { localeOf } from "./i18n.ts"

describe("locales", () => {
  const cases: [unknown, Locale][] = [
    [undefined, "en"],
    ["", "en"],
    ["vi", "vi"],
    ["zh-Hans-CN", "zh"],
    ["ZH_cn", "zh"],
    ["fr-FR, de;q=0.9", "en"],
    ["fr;q=0.9, vi-VN;q=0.1, zh", "vi"],
    ["en;q=0, zh;q=1", "en"],
    ["english, zho, vi", "vi"],
    ["*", "en"],
    [42, "en"],
    [",,;;,\u0000,vi", "vi"],
  ]
  for (const [tags, locale] of cases) it(`reads ${JSON.stringify(tags)} as ${locale}`, () => equal(localeOf(tags), locale))
})
