import { templatePath } from "../kernel/db/embedded/template.ts"
import { buildTemplates } from "./database-templates.ts"

// `npm install` runs this.
if (templatePath(true) === templatePath(false)) await buildTemplates()
// Without the tools of development, which `--omit=dev` leaves out, libraries load as they came.
const tools = await import("./join-libraries.ts").catch(() => undefined)
await tools?.joinLibraries()
