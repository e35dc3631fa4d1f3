import { enableCompileCache } from "node:module"

// Everything imported from here on comes from the cache on the next start. In JavaScript, and named by --import in the repository: a file of TypeScript before it would have Node load its compiler.
enableCompileCache()
