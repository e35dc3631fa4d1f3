import { definePlugin, PairingDoor, Pairings } from "@plugboard/sdk"
import { cliDevices, splitId } from "./cli.ts"
import { manifest } from "./manifest.ts"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export default definePlugin(manifest, (host) => {
  const pairings = host.use(Pairings)
  host.offer(PairingDoor, {})
  return {
    rpc: {
      "browser.pairing.status": async ({ sender_id }, { senderId }) => {
        const asked = sender_id || senderId
        const status = asked ? await pairings.status(asked) : "expired"
        return { status, approved: status === "approved" }
      },
      "device.pair.request": ({ senderId, channel, chatId = "", accountId = "default" }, { caller }) => {
        // Whoever has a browser's id is let in by it, so that it must be hard to guess.
        if (channel === "browser" && !uuid.test(senderId)) throw host.fail("browser_id", {})
        return pairings.request(caller, { senderId, channel, chatId, accountId })
      },
      "device.pair.approve": async ({ code, approvedBy }, { caller }) => ({ paired: await pairings.approve(caller, code, approvedBy || caller.userId) }),
      "device.pair.deny": async ({ code }, { caller }) => {
        await pairings.deny(caller, code)
        return { denied: true as const }
      },
      "device.pair.list": async (_, { caller, cliProfile }) => {
        const all = await pairings.list(caller)
        return cliProfile ? cliDevices(all) : all
      },
      "device.pair.revoke": async (params, { caller }) => {
        const { senderId, channel } = params.id ? splitId(params.id) : params
        if (!senderId || !channel) throw host.fail("no_device", {})
        await pairings.revoke(caller, senderId, channel)
        return { revoked: true as const }
      },
    },
  }
})
