import { randomUUID } from "node:crypto"
import type { Caller, PairingsService } from "@plugboard/sdk"
import type { Auth } from "../auth/auth.ts"
import type { Pairing } from "../rpc/connect.ts"

/** Where a browser without a credential asks to be let in. Nobody is let in by it: somebody of the tenant has to approve the code. */
export function createPairingDoor({ auth, pairings, open }: { auth: Pick<Auth, "tenantNamed">; pairings: PairingsService; open(): boolean }): Pairing {
  return {
    async request({ tenantRefs, userId = "", locale, address = "" }) {
      if (!open()) return null
      const tenant = await auth.tenantNamed(tenantRefs)
      const stranger: Caller = { tenantId: tenant.id, tenantSlug: tenant.slug, userId, role: "viewer", scopes: [], locale, via: "open", address }
      // The gateway gives the id: whoever has it is the browser. Few wait for one address, so that a stranger cannot take all places.
      const senderId = randomUUID()
      const { code } = await pairings.request(stranger, { senderId, channel: "browser", chatId: "", accountId: address })
      return { pairing_code: code, sender_id: senderId }
    },
  }
}
