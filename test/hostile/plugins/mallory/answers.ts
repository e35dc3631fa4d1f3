import { setTimeout as sleep } from "node:timers/promises"
import { reply } from "@plugboard/sdk"

/** Answers that would harm whoever sends or reads them. */
export const answers: Record<string, () => unknown> = {
  cookie: () => reply.json({}, { headers: { "set-cookie": "session=mallory" } }),
  cors: () => reply.json({}, { headers: { "access-control-allow-origin": "*" } }),
  split: () => reply.json({}, { headers: { "x-mallory-a": "b\r\nset-cookie: a=b" } }),
  accel: () => reply.json({}, { headers: { "X-Accel-Redirect": "/etc/passwd" } }),
  login: () => reply.json({ error: "log in again" }, { status: 401 }),
  odd: () => reply.json({}, { status: 101 }),
  path: () => reply.bytes({ path: "/etc/passwd" }, { contentType: "text/plain" }),
  page: () => reply.bytes(new TextEncoder().encode("<script>alert(1)</script>"), { contentType: "text/html" }),
  large: () => ({ text: "x".repeat(24 << 20) }),
  deep: () => JSON.parse(`${"[".repeat(5_000)}${"]".repeat(5_000)}`) as unknown,
  prototype: () => JSON.parse('{ "__proto__": { "admin": true }, "fine": 1 }') as unknown,
  function: () => ({ run: () => 1 }),
  forever: () =>
    reply.sse(
      (async function* () {
        for (let count = 0; ; count++) {
          yield [{ data: { count } }]
          await sleep(5)
        }
      })(),
    ),
  "no stream": () => ({ answer: "sse", frames: 7 }),
  "own header": () => reply.json({ fine: true }, { headers: { "x-mallory-mood": "bad" } }),
}
