import { equal } from "node:assert/strict"
import type { IncomingMessage } from "node:http"
import { originAllowed } from "./origin.ts"

describe("the origin of a page that opens a socket", () => {
  const listed = ["https://app.example"]
  const cases: [origin: string | undefined, allowed: readonly string[], authenticationOff: boolean, passes: boolean, why: string][] = [
    [undefined, [], false, true, "a program"],
    [undefined, listed, true, true, "a program, whatever is listed"],
    ["https://anywhere.example", [], false, true, "any page, since it needs a token"],
    ["https://app.example", listed, false, true, "a listed page"],
    ["https://app.example:8443", listed, false, false, "a listed page's other port"],
    ["https://app.example.evil.example", listed, false, false, "a name that begins like a listed one"],
    ["null", listed, false, false, "a page without origin"],
    ["https://anywhere.example", ["*"], false, true, "any page, by the operator's word"],
    ["http://localhost:3000", [], true, true, "a page of this machine"],
    ["http://127.0.0.1:18790", [], true, true, "a page of this machine by address"],
    ["http://[::1]:18790", [], true, true, "a page of this machine by IPv6 address"],
    ["https://evil.example", [], true, false, "a page of the web on a gateway without a token"],
    ["http://gateway.test", [], true, false, "a foreign name that resolves to this machine, though it is the Host too"],
    ["http://localhost.evil.example", [], true, false, "a name that begins like this machine's"],
    ["null", [], true, false, "a page without origin on a gateway without a token"],
  ]
  for (const [origin, allowed, authenticationOff, passes, why] of cases) {
    it(`${passes ? "admits" : "refuses"} ${why}`, () => {
      equal(originAllowed({ headers: { host: "gateway.test", ...(origin !== undefined && { origin }) } } as IncomingMessage, allowed, authenticationOff), passes)
    })
  }
})
