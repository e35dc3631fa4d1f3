import { type Static, Type } from "typebox"

/** Source: wire contract, websocket 4.6. */
export const Schedule = Type.Object({
  kind: Type.Enum(["at", "every", "cron"]),
  atMs: Type.Optional(Type.Integer({ minimum: 0 })),
  everyMs: Type.Optional(Type.Integer({ minimum: 1_000, maximum: 31_536_000_000 })),
  expr: Type.Optional(Type.String({ maxLength: 100, description: "Five fields: minute, hour, day, month, weekday." })),
  tz: Type.Optional(Type.String({ maxLength: 64, description: "IANA name of a time zone; UTC when left out." })),
})
export type Schedule = Static<typeof Schedule>
