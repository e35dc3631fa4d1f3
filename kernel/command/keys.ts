import { setTimeout as sleep } from "node:timers/promises"
import type { EncryptionRotation, EncryptionState } from "@plugboard/sdk"
import type { Command } from "commander"
import type { KeysDoor } from "./keys-door.ts"

interface Output {
  json?: boolean
}

/** `plugboard keys …`: the keys that secrets are sealed with at rest. */
export function registerKeys(keys: Command): void {
  const add = (usage: string, description: string) => keys.command(usage).description(description).option("--json", "print the gateway's answer as JSON")

  add("status", "Which keys there are, and how many secrets are sealed with each.").action((options: Output) => through(async (door) => show(await door.status(), options)))
  add("rotate", "Make a new key and seal every secret with it, while the gateway serves. Goes on with a rotation that was cut off.").action((options: Output) =>
    through(async (door) => {
      let rotation = await door.rotate()
      for (let told = ""; rotation.state === "running"; await sleep(250), rotation = (await door.rotation()) ?? rotation) {
        const now = progress(rotation)
        if (now !== told) process.stderr.write(now)
        told = now
      }
      if (rotation.state === "interrupted") {
        process.exitCode = 1
        process.stderr.write("It was cut off. The gateway's log has the cause; run it again to go on.\n")
      }
      show(await door.status(), options)
    }),
  )
  add("drop <key>", "Drop an older key, once no secret is sealed with it any more.")
    .option("--force", "also when secrets are sealed with it; they can never be opened again")
    .action((key: string, options: Output & { force?: boolean }) => through(async (door) => show(await door.drop(key, options.force ?? false), options)))
}

async function through(work: (door: KeysDoor) => Promise<void>): Promise<void> {
  const { openKeysDoor } = await import("./keys-door.ts")
  const door = await openKeysDoor(process.env)
  try {
    await work(door)
  } finally {
    await door.close()
  }
}

function progress({ key, resealed, total }: EncryptionRotation): string {
  return `${resealed} of ${total} secrets are sealed with ${key}\n`
}

function show(state: EncryptionState, { json }: Output): void {
  process.stdout.write(json ? `${JSON.stringify(state, null, 2)}\n` : lines(state))
}

function lines({ keys, rotation, source }: EncryptionState): string {
  const rows = keys.map(({ id, newest, secrets }) => `${id}  ${secrets} secrets${newest ? ", the newest key" : ""}`)
  const told = rotation && [`rotation to ${rotation.key}: ${rotation.state}, ${rotation.resealed} of ${rotation.total}, begun ${rotation.began_at}`]
  const old = keys.filter(({ newest, secrets }) => !newest && secrets === 0).map(({ id }) => id)
  const next =
    source === "file"
      ? old.map((id) => `Nothing is sealed with ${id} any more. Drop it with: plugboard keys drop ${id}`)
      : old.map((id) => `Nothing is sealed with ${id} any more. Take it out of PLUGBOARD_ENCRYPTION_KEYS_OLD of each node.`)
  return `${[...rows, ...(told ?? []), ...next].join("\n")}\n`
}
