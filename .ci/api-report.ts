import { execFileSync } from "node:child_process"
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
/** Committed, so that a change of what plugins can see shows as a diff. */
export const reportPath = join(root, "plugin-sdk", "api.md")

/** The declarations of every module of the SDK, without comments. */
export function apiReport(): string {
  const folder = mkdtempSync(join(tmpdir(), "plugboard-api-"))
  try {
    execFileSync(join(root, "node_modules", ".bin", "tsc"), ["-p", "plugin-sdk/tsconfig.build.json", "--emitDeclarationOnly", "--removeComments", "--outDir", folder], {
      cwd: root,
      stdio: "pipe",
    })
    const modules = globSync("**/*.d.ts", { cwd: folder }).sort()
    const parts = modules.map((module) => `## ${module.replace(/\.d\.ts$/, "")}\n\n\`\`\`ts\n${readFileSync(join(folder, module), "utf8").trim()}\n\`\`\`\n`)
    return `# What @plugboard/sdk exports\n\nMade by \`npm run api\`; a test holds it to the code. Review each change of it as a change of the contract with plugin authors.\n\n${parts.join("\n")}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) writeFileSync(reportPath, apiReport())
