import { stripTypeScriptTypes } from "node:module"
import { PackageError } from "../../packages/package-error.ts"

/** Relative imports of TypeScript files: `from "./terms.ts"`, `import("./terms.ts")`, `import "./terms.ts"`. */
const relativeImport = /(\b(?:from|import)\s*\(?\s*)(["'])(\.{1,2}\/[^"'\n]*?)\.(m?)ts\2/g

/** A source as it stands in a package: types stripped and imports renamed, since Node.js strips no types inside node_modules. Everything else as it is. */
export function asJavaScript(path: string, bytes: Buffer, isBuilt: boolean): { path: string; bytes: Buffer | string } {
  const [, stem, kind] = /^(.*)\.(m?)ts$/.exec(path) ?? []
  if (stem === undefined || isBuilt) return { path, bytes }
  try {
    const code = stripped(bytes.toString("utf8"))
    return { path: `${stem}.${kind}js`, bytes: code.replace(relativeImport, "$1$2$3.$4js$2") }
  } catch (error) {
    throw new PackageError(
      `the types of ${path} cannot be stripped: ${(error as Error).message.split("\n")[0]}`,
      "Use erasable syntax only (no enums, no namespaces, no parameter properties), or add a build script.",
      error,
    )
  }
}

/** Node.js warns of a function that is young. Whoever packs can do nothing about it. */
function stripped(source: string): string {
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    return stripTypeScriptTypes(source, { mode: "strip" })
  } finally {
    process.emitWarning = emitWarning
  }
}
