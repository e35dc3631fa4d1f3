import type { LogLine } from "@plugboard/sdk"

/** Characters of one attribute. */
const longest = 2_000
const secretName = /key|token|secret|password|dsn|credential|authorization|cookie/i
/** Keys that open nothing: they name an agent or a session. */
const plainKey = /^(agent|session)_?key$/i

/** A line as an event. Values of secrets are masked already; what is named like one is masked besides. Source: wire contract, websocket 5.3. */
export function logEvent({ at, level, message, source, tenant, agent, fields }: LogLine) {
  const attrs = Object.entries({ tenant, agent, ...fields }).flatMap(([name, value]) => (value === undefined ? [] : [[name, shown(name, value)] as const]))
  return { timestamp: at, level, message, source, ...(attrs.length > 0 && { attrs: Object.fromEntries(attrs) }), time: new Date(at).toISOString() }
}

/** What the gateway says of the log itself. */
export function marker(message: string, attrs?: Record<string, string>) {
  const at = Date.now()
  return { timestamp: at, level: "info" as const, message, source: "gateway", ...(attrs && { attrs }), time: new Date(at).toISOString() }
}

function shown(name: string, value: unknown): string {
  const clean = masked(name, value)
  return (typeof clean === "string" ? clean : JSON.stringify(clean)).slice(0, longest)
}

function masked(name: string, value: unknown): unknown {
  if (secretName.test(name) && !plainKey.test(name)) return "***"
  if (Array.isArray(value)) return value.map((item) => masked("", item))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([inner, one]) => [inner, masked(inner, one)]))
}
