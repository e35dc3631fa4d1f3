import type { Tool } from "@plugboard/sdk"
import { Type } from "typebox"

/** The one tool that every gateway has: it reads nothing private and changes nothing. */
export const datetime: Tool = {
  name: "datetime",
  description: "The present date and time, in UTC or in a time zone.",
  parameters: Type.Object({ tz: Type.Optional(Type.String({ maxLength: 100, description: "IANA time zone, such as Asia/Ho_Chi_Minh." })) }),
  risk: "safe",
  async call({ tz }) {
    const zone = typeof tz === "string" && tz !== "" ? tz : "UTC"
    try {
      const text = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "long" }).format(new Date())
      return { content: `${text} (${zone})` }
    } catch {
      return { content: `There is no time zone ${zone}. Use an IANA name such as Europe/Berlin.`, isError: true }
    }
  },
}
