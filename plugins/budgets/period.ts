/// <reference lib="esnext.temporal" />

export type Period = "day" | "month"
export interface Span {
  /** RFC 3339, from midnight to midnight where the budget is. */
  starts: string
  ends: string
}

/** The day or month of the calendar that is under way in a time zone. */
export function spanOf(period: Period, timeZone: string, now: number = Date.now()): Span {
  const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(timeZone).startOfDay()
  const first = period === "day" ? today : today.with({ day: 1 }).startOfDay()
  const next = first.add(period === "day" ? { days: 1 } : { months: 1 }).startOfDay()
  return { starts: first.toInstant().toString(), ends: next.toInstant().toString() }
}

export function isTimeZone(name: string): boolean {
  try {
    Temporal.Now.zonedDateTimeISO(name)
    return true
  } catch {
    return false
  }
}
