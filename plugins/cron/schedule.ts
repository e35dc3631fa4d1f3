import { CronExpressionParser } from "cron-parser"
import type { Schedule } from "./schedule-form.ts"

/** The schedule without what its kind does not read; null when it cannot be read. */
export function readSchedule({ kind, atMs, everyMs, expr, tz }: Schedule): Schedule | null {
  if (kind === "at") return atMs === undefined ? null : { kind, atMs }
  if (kind === "every") return everyMs === undefined ? null : { kind, everyMs }
  if (expr === undefined || expr.trim().split(/\s+/).length !== 5) return null
  const schedule: Schedule = { kind, expr: expr.trim(), ...(tz && { tz }) }
  try {
    nextRun(schedule, Date.now())
    return schedule
  } catch {
    return null
  }
}

/** The time behind `due`, of those that are still to come: what was missed in between is missed. Intervals keep their beat. */
export function following(schedule: Schedule, due: number, now: number): number | null {
  if (schedule.kind === "at") return null
  if (schedule.kind === "cron") return nextRun(schedule, now)
  const everyMs = schedule.everyMs as number
  return due + everyMs * Math.max(1, Math.floor((now - due) / everyMs) + 1)
}

/**
 * The first time after `after`, in epoch ms; null: never again. A wall-clock time that a change to summer time leaves out comes an hour later;
 * one that the change back repeats counts once, unless the expression runs in every hour.
 */
export function nextRun(schedule: Schedule, after: number): number | null {
  if (schedule.kind === "at") return (schedule.atMs as number) > after ? (schedule.atMs as number) : null
  if (schedule.kind === "every") return after + (schedule.everyMs as number)
  return CronExpressionParser.parse(schedule.expr as string, { currentDate: new Date(after), tz: schedule.tz ?? "UTC" })
    .next()
    .getTime()
}
