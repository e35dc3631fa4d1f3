import { templatePath } from "../kernel/db/embedded/template.ts"
import { buildTemplates } from "./database-templates.ts"

// `npm install` runs this.
if (templatePath(true) === templatePath(false)) await buildTemplates()
