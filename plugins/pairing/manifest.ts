import { defineManifest, PairingDoor, Pairings } from "@plugboard/sdk"
import { Type } from "typebox"

const Code = Type.String({ minLength: 1, maxLength: 20, description: "As the device shows it." })
const Channel = Type.String({ minLength: 1, maxLength: 100, pattern: "^[a-zA-Z0-9_.-]+$" })
const SenderId = Type.String({ maxLength: 128, pattern: "^[a-zA-Z0-9][a-zA-Z0-9._:@-]*$" })
const Ms = Type.Integer({ description: "Ms since 1970." })

/** Source: wire contract, websocket 4.9. */
const Pending = Type.Object({
  code: Type.String(),
  sender_id: Type.String(),
  channel: Type.String(),
  chat_id: Type.String(),
  account_id: Type.String(),
  created_at: Ms,
  expires_at: Ms,
})
const Paired = Type.Object({ sender_id: Type.String(), channel: Type.String(), chat_id: Type.String(), paired_at: Ms, paired_by: Type.String() })
/** What the command-line client of today reads. Source: wire contract, websocket 8.2. */
const CliDevice = Type.Object({
  id: Type.String(),
  device_name: Type.String(),
  user_id: Type.String(),
  status: Type.Enum(["paired", "pending"]),
  paired_at: Type.Optional(Type.String({ format: "date-time" })),
  code: Type.Optional(Type.String()),
})
const managed = { role: "admin", orScope: "operator.pairing" } as const

export const manifest = defineManifest({
  id: "pairing",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "Browsers and devices that somebody lets in by a code.",
  requires: [Pairings],
  offers: [PairingDoor],
  rpc: {
    "browser.pairing.status": {
      role: "viewer",
      before: "connect",
      summary: "Whether a browser's pairing was approved",
      params: Type.Object({ sender_id: Type.Optional(Type.String({ maxLength: 255 })) }),
      result: Type.Object({ status: Type.Enum(["approved", "pending", "expired"]), approved: Type.Boolean() }),
    },
    "device.pair.request": {
      role: "operator",
      orScope: "operator.pairing",
      summary: "Ask for a code for a device or a sender",
      params: Type.Object({
        senderId: SenderId,
        channel: Channel,
        chatId: Type.Optional(Type.String({ maxLength: 255 })),
        accountId: Type.Optional(Type.String({ maxLength: 255, description: "default when left out." })),
      }),
      result: Type.Object({ code: Type.String() }),
    },
    "device.pair.approve": {
      ...managed,
      summary: "Let in who shows this code",
      params: Type.Object({ code: Code, approvedBy: Type.Optional(Type.String({ maxLength: 255, description: "For display; the caller when left out." })) }),
      result: Type.Object({ paired: Paired }),
      order: "code",
    },
    "device.pair.deny": {
      ...managed,
      summary: "Turn away who shows this code",
      params: Type.Object({ code: Code }),
      result: Type.Object({ denied: Type.Literal(true) }),
      order: "code",
    },
    "device.pair.list": {
      ...managed,
      summary: "List pairings",
      result: Type.Union([Type.Object({ pending: Type.Array(Pending), paired: Type.Array(Paired) }), Type.Array(CliDevice)]),
    },
    "device.pair.revoke": {
      ...managed,
      summary: "End a pairing at once",
      params: Type.Object({
        senderId: Type.Optional(SenderId),
        channel: Type.Optional(Channel),
        id: Type.Optional(Type.String({ maxLength: 300, description: "channel:sender in one, instead of both." })),
      }),
      result: Type.Object({ revoked: Type.Literal(true) }),
    },
  },
  events: {
    // Sent by the kernel, in the transaction of the change.
    "device.pair.requested": { payload: Type.Object({ code: Type.String(), sender_id: Type.String(), channel: Type.String(), chat_id: Type.String() }), to: "admins" },
    "device.pair.resolved": { payload: Type.Object({ action: Type.Enum(["approved", "denied", "revoked"]), sender_id: Type.String(), channel: Type.String() }), to: "admins" },
  },
  errors: {
    browser_id: { kind: "INVALID_REQUEST" },
    no_device: { kind: "INVALID_REQUEST" },
  },
})
