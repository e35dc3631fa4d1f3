import { deepEqual } from "node:assert/strict"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type ErrorDecl, locales, type Manifest } from "@plugboard/sdk"
import type { TSchema } from "typebox"
import { checkConfig } from "../kernel/config.ts"
import { kernelErrors } from "../kernel/failures.ts"
import { misfitOfSettings } from "../kernel/packages/settings-check.ts"

const root = join(import.meta.dirname, "..")

interface Owner {
  id: string
  manifest?: Manifest
  folder: string
  errors: Readonly<Record<string, ErrorDecl>>
}

const plugins = readdirSync(join(root, "plugins"), { withFileTypes: true }).filter((entry) => entry.isDirectory())
const owners: Owner[] = [{ id: "kernel", folder: "kernel", errors: kernelErrors }]
for (const { name } of plugins) {
  const { manifest } = (await import(`../plugins/${name}/manifest.ts`)) as { manifest: Manifest }
  owners.push({ id: name, manifest, folder: `plugins/${name}`, errors: manifest.errors ?? {} })
}

function textsOf(owner: Owner, locale: string): Record<string, string> {
  const path = join(root, owner.folder, "texts", `${locale}.json`)
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, string>) : {}
}

function holesOf(text: string): string[] {
  return [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, hole]) => hole as string))].sort()
}

describe("errors and their texts", () => {
  for (const owner of owners) {
    for (const locale of locales) {
      it(`${owner.id} has a text in ${locale} for each of its errors, and no other`, () => {
        deepEqual(Object.keys(textsOf(owner, locale)).sort(), Object.keys(owner.errors).sort())
      })
    }

    it(`${owner.id} says the same facts in every language`, () => {
      const english = textsOf(owner, "en")
      for (const locale of locales) {
        const texts = textsOf(owner, locale)
        for (const [name, text] of Object.entries(english)) deepEqual([name, holesOf(texts[name] ?? "")], [name, holesOf(text)])
      }
    })

    it(`${owner.id} tells only the facts that its errors declare`, () => {
      const undeclared = Object.entries(textsOf(owner, "en")).flatMap(([name, text]) => {
        const params = owner.errors[name]?.params
        // The kernel's own errors are typed where they are thrown.
        if (owner.id === "kernel") return []
        return holesOf(text)
          .filter((hole) => !(hole in (params?.properties ?? {})))
          .map((hole) => `${name}: {${hole}}`)
      })
      deepEqual(undeclared, [])
    })
  }
})

describe("settings that nobody has made", () => {
  for (const { id, manifest } of owners) {
    if (!manifest?.config) continue
    it(`${id} starts with the defaults that its own schema accepts`, () => {
      const quick = {}
      const checked = {}
      deepEqual([misfitOfSettings(manifest, "bundled", quick, id), checkConfig(manifest.config as TSchema, checked, id)], [null, null])
      deepEqual(quick, checked)
    })
  }
})
