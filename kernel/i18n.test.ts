import { deepEqual, equal } from "node:assert/strict"
import { type Locale, locales } from "@plugboard/sdk"
import { kernelErrors } from "./failures.ts"
import { localeOf } from "./i18n.ts"
import { loadTexts } from "./plugins/texts.ts"

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

describe("the kernel's texts", () => {
  const texts = loadTexts(import.meta.dirname)
  const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()

  for (const locale of locales) {
    it(`say every kernel error in ${locale}`, () => deepEqual(Object.keys(texts[locale]).sort(), Object.keys(kernelErrors).sort()))
    it(`name the same facts in ${locale} as in en`, () => {
      for (const [name, text] of Object.entries(texts.en)) deepEqual(holes(texts[locale][name] ?? ""), holes(text), name)
    })
  }
})
