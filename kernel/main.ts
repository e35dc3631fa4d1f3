#!/usr/bin/env node
import { enableCompileCache } from "node:module"

// First of all: everything imported from here on comes from the cache on the next start.
enableCompileCache()

const { runCommand } = await import("./command.ts")
await runCommand(process.argv)
