import { Configuration, defineManifest } from "@plugboard/sdk"
import { Type } from "typebox"

const Document = Type.Record(Type.String(), Type.Unknown())
const Hash = Type.String({ description: "Another one after each change." })
const BaseHash = Type.Optional(Type.String({ maxLength: 200, description: "Hash that the change was made on; refused when it is not the present one." }))
const Raw = Type.Optional(Type.String({ maxLength: 500_000, description: "JSON5." }))
const Written = Type.Object({ ok: Type.Literal(true), path: Type.String(), config: Document, hash: Hash, restart: Type.Literal(false) })
const Key = Type.Optional(Type.String({ maxLength: 500, description: "With dots: gateway.rate_limit_rpm." }))
/** Source: wire contract, websocket 3 and 9, row 17. */
const gateway = { role: "admin", runsGateway: true } as const
const Switch = Type.Optional(Type.Object({ enabled: Type.Optional(Type.Boolean()) }, { additionalProperties: true }))

export const manifest = defineManifest({
  id: "gateway-config",
  version: "1.0.0",
  sdk: "^1.0.0",
  summary: "The gateway's configuration over the socket: read, change, with its schema.",
  requires: [Configuration],
  rpc: {
    "config.get": {
      ...gateway,
      summary: "The configuration, secrets masked; with a key what stands there",
      params: Type.Object({ key: Key }),
      result: Type.Union([Type.Object({ config: Document, hash: Hash, path: Type.String() }), Type.Object({ key: Type.String(), value: Type.Unknown(), hash: Hash })]),
    },
    "config.apply": {
      ...gateway,
      summary: "Replace the configuration; in force at once, on every node",
      // Without `raw` the parameters are the document, as the command-line client of today sends it. Source: wire contract, websocket 8.1.
      params: Type.Object({ raw: Raw, baseHash: BaseHash }, { additionalProperties: true }),
      result: Written,
    },
    "config.patch": {
      ...gateway,
      summary: "Change parts of the configuration; in force at once, on every node",
      params: Type.Object({ raw: Raw, baseHash: BaseHash, key: Key, value: Type.Optional(Type.Unknown({ description: "For the key; null: as it comes." })) }),
      result: Written,
    },
    "config.schema": { ...gateway, summary: "JSON Schema of the configuration", result: Type.Object({ json: Document }) },
    "config.defaults": { role: "admin", summary: "What agents start with; in the master tenant only", result: Document },
    "chat_behavior.preview": {
      ...gateway,
      summary: "What a channel would send of an answer",
      params: Type.Object({
        channel: Type.Optional(Type.String({ maxLength: 100 })),
        content: Type.String({ maxLength: 100_000 }),
        isStreaming: Type.Optional(Type.Boolean()),
        hasToolCalls: Type.Optional(Type.Boolean()),
        config: Type.Optional(
          Type.Object(
            {
              enabled: Type.Optional(Type.Boolean()),
              quick_ack: Type.Optional(Type.Object({ enabled: Type.Optional(Type.Boolean()), max_chars: Type.Optional(Type.Integer({ minimum: 1, maximum: 4_000 })) })),
              intermediate_replies: Switch,
              final_split: Switch,
            },
            { additionalProperties: true },
          ),
        ),
      }),
      // Source: wire contract, websocket 4.12.
      result: Type.Object({
        ack: Type.Object({ shouldSend: Type.Boolean(), content: Type.String(), source: Type.String() }),
        split: Type.Object({ parts: Type.Array(Type.String()) }),
      }),
    },
  },
  errors: {
    bad_raw: { kind: "INVALID_REQUEST", params: Type.Object({ reason: Type.String() }) },
    no_document: { kind: "INVALID_REQUEST" },
    no_change: { kind: "INVALID_REQUEST" },
    unknown_key: { kind: "NOT_FOUND", params: Type.Object({ key: Type.String() }) },
    master_only: { kind: "FORBIDDEN" },
  },
})
