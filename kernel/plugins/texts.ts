import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { locales, type Texts } from "@plugboard/sdk"

/** `texts/{en,vi,zh}.json` of a folder; empty where there is none. */
export function loadTexts(folder: string | undefined): Texts {
  const texts: Record<string, Record<string, string>> = {}
  for (const locale of locales) {
    const path = folder === undefined ? "" : join(folder, "texts", `${locale}.json`)
    texts[locale] = path && existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {}
  }
  return texts as unknown as Texts
}
