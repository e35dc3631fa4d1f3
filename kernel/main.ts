#!/usr/bin/env node
import "./compile-cache.js"
import { loadJoined } from "./command/libraries.ts"

loadJoined()

const { runCommand } = await import("./command.ts")
await runCommand(process.argv)
