const levels: Readonly<Record<number, string>> = { 10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal" }

/** A line for people: when, who, a word for what happened, and the rest. */
export function lineOf(who: string, word: string, text: string, time: Date = new Date()): string {
  return `${time.toISOString().slice(11, 23)}  ${who}  ${word.padEnd(6)}  ${text}`
}

/** A line of the gateway's log for people: all of the plugin's own, and of others what went wrong. Undefined for the rest. */
export function lineOfLog(json: string, plugin: string): string | undefined {
  const {
    level,
    time,
    msg,
    plugin: owner,
    err,
    ...fields
  } = JSON.parse(json) as Record<string, unknown> & { level: number; time: string; msg: string; err?: { message?: string; stack?: string } }
  if (owner !== plugin && level < 40) return undefined
  const facts = Object.entries(fields).map(([name, value]) => `  ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
  const cause = err ? `\n    ${(err.stack ?? err.message ?? "").replaceAll("\n", "\n    ")}` : ""
  return lineOf(typeof owner === "string" ? owner : "gateway", levels[level] ?? String(level), `${msg}${facts.join("")}${cause}`, new Date(time))
}
