import { buildTemplate, templateArchive } from "./template.ts"

// `npm install` and `npm pack` run this. An argument names another place for the archive.
const [, , path] = process.argv
if (path !== undefined || templateArchive() === undefined) await buildTemplate(path)
