import { buildTemplate, templatePath } from "./template.ts"

// `npm install` runs this. An argument names another folder for the archive.
const [, , folder] = process.argv
if (folder !== undefined || templatePath() === undefined) await buildTemplate(folder)
