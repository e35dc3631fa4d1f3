import { execFileSync } from "node:child_process"
import { cpSync, globSync, rmSync } from "node:fs"
import { join } from "node:path"
import { joinLibraries } from "./join-libraries.ts"

/**
 * Makes the JavaScript of both packages: `node .ci/build.ts`, or with the word `sdk` of @plugboard/sdk alone.
 * npm calls it before it packs. The SDK comes first, since the gateway is compiled against its declarations.
 */
const root = join(import.meta.dirname, "..")
const compiler = join(root, "node_modules", ".bin", "tsc")

compile("plugin-sdk/tsconfig.build.json", "plugin-sdk/dist")
if (process.argv[2] !== "sdk") {
  compile(".ci/tsconfig.build.json", "dist")
  copyData()
  copyTemplates()
  copyDocsAssets()
  // It runs the gateway's own code, which needs the SDK that was just compiled.
  const { buildTemplates } = await import("./database-templates.ts")
  await buildTemplates(join(root, "dist", "kernel", "db", "embedded"))
  await joinLibraries(join(root, "dist", "kernel", "command"))
}

function compile(project: string, out: string): void {
  rmSync(join(root, out), { recursive: true, force: true })
  execFileSync(compiler, ["-p", project], { cwd: root, stdio: "inherit" })
}

/** Everything that the code reads beside itself: texts and READMEs. */
function copyData(): void {
  for (const file of globSync("{kernel,plugins}/**/*.*", { cwd: root, exclude: ["**/*.ts", "**/node_modules/**"] })) cpSync(join(root, file), join(root, "dist", file))
}

/** The folders that `plugins create` writes: sources, as their authors get them. */
function copyTemplates(): void {
  const templates = join("kernel", "command", "templates")
  cpSync(join(root, templates), join(root, "dist", templates), { recursive: true })
}

/** The parts of Swagger UI that the docs page names, so that the package does without the rest of its 12 MB. */
function copyDocsAssets(): void {
  for (const file of ["swagger-ui.css", "swagger-ui-bundle.js", "LICENSE"])
    cpSync(join(root, "node_modules", "swagger-ui-dist", file), join(root, "dist", "plugins", "docs", "docs-assets", file))
}
