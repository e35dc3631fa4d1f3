import { existsSync } from "node:fs"
import { registerHooks } from "node:module"
import { join, posix } from "node:path"
import { pathToFileURL } from "node:url"
import { harden } from "./harden.ts"

const { output } = harden()

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "@plugboard/sdk" || specifier === "typebox" || specifier.startsWith("typebox/")
      ? next(specifier, { ...context, parentURL: import.meta.url })
      : next(specifier, context),
})

/** Prints the manifest of the plugin in a folder, as JSON: of its `manifest` module where it has one, else of the plugin itself. */
const [folder = ".", within = ""] = process.argv.slice(2)
const find = (name: string) => [`${name}.js`, `${name}.ts`].map((file) => posix.join(within, file)).find((file) => existsSync(join(folder, file)))
const load = async (file: string) => (await import(pathToFileURL(join(folder, file)).href)) as { manifest?: object; default?: { manifest?: object } }

const entry = find("index")
const file = find("manifest") ?? entry
if (!entry || !file) throw new Error("the folder has no index.js or index.ts")
const module = await load(file)
const manifest = module.manifest ?? module.default?.manifest
if (!manifest) throw new Error(`${file} exports no manifest`)
output.write(JSON.stringify({ manifest, entry }))
