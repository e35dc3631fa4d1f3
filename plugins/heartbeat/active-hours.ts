import { CronExpressionParser } from "cron-parser"

/** `HH:MM` on the clock of the time zone; an empty beginning is midnight, an empty end the next one. Empty or equal, they leave nothing out. */
export interface ActiveHours {
  start: string
  end: string
  /** IANA name; empty: UTC. */
  timezone: string
}

export function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: name })
    return true
  } catch {
    return false
  }
}

function wallTime(at: number, timezone: string): string {
  return new Intl.DateTimeFormat("en-GB", { timeZone: timezone || "UTC", hour: "2-digit", minute: "2-digit" }).format(at)
}

/** An end before the beginning is one on the next day. */
export function isActive({ start, end, timezone }: ActiveHours, at: number): boolean {
  const [from, to] = [start || "00:00", end || "24:00"]
  if (from === to) return true
  const wall = wallTime(at, timezone)
  return from < to ? from <= wall && wall < to : from <= wall || wall < to
}

/** `at`, or the next time (epoch ms) at which hours begin. A beginning that the change to summer time leaves out comes when the clock has been put on. */
export function nextActive(hours: ActiveHours, at: number): number {
  if (isActive(hours, at)) return at
  const [hour, minute] = (hours.start || "00:00").split(":").map(Number)
  return CronExpressionParser.parse(`${minute} ${hour} * * *`, { currentDate: new Date(at), tz: hours.timezone || "UTC" })
    .next()
    .getTime()
}

/** The beat behind `due`, of those that are still to come, in active hours; what was missed in between is missed. */
export function followingBeat(hours: ActiveHours, intervalSec: number, due: number, now: number): number {
  const every = intervalSec * 1_000
  return nextActive(hours, due + every * Math.max(1, Math.floor((now - due) / every) + 1))
}
