import type { PairedDevice, PendingPairing } from "@plugboard/sdk"

/** Pairings as the command-line client of today shows them: both kinds in one list, under one id. Source: wire contract, websocket 8.2. */
export function cliDevices({ pending, paired }: { pending: readonly PendingPairing[]; paired: readonly PairedDevice[] }) {
  const named = ({ channel, sender_id }: { channel: string; sender_id: string }) => ({ id: `${channel}:${sender_id}`, device_name: channel, user_id: sender_id })
  return [
    ...paired.map((device) => ({ ...named(device), status: "paired" as const, paired_at: new Date(device.paired_at).toISOString() })),
    ...pending.map((device) => ({ ...named(device), status: "pending" as const, code: device.code })),
  ]
}

/** The other way round. A channel has no colon in its name; a sender may. */
export function splitId(id: string): { channel?: string; senderId?: string } {
  const [channel, ...rest] = id.split(":")
  return { channel, senderId: rest.join(":") }
}
