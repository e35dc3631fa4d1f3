#!/usr/bin/env node
import { enableCompileCache } from "node:module"
import { loadJoined } from "./command/libraries.ts"

// First of all: everything imported from here on comes from the cache on the next start.
enableCompileCache()
loadJoined()

const { runCommand } = await import("./command.ts")
await runCommand(process.argv)
