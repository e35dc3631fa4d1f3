/** Epoch ms; `from` belongs to it, `to` does not. Hours are counted whole, by their beginning. */
export interface Range {
  from: number
  to: number
}
/** As clients ask for it. What cannot be read counts as left out. */
export interface Asked {
  from?: string
  to?: string
  period?: string
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const lengths: Readonly<Record<string, number>> = { "1h": hourMs, "24h": dayMs, "7d": 7 * dayMs, "30d": 30 * dayMs }
/** Times that every database and clock can hold. */
const latest = Date.UTC(9_999, 0)

export const hourOf = (at: number) => Math.floor(at / hourMs) * hourMs
export const dayOf = (at: number) => Math.floor(at / dayMs) * dayMs
/** Monday. */
export const weekOf = (at: number) => dayOf(at) - ((new Date(at).getUTCDay() + 6) % 7) * dayMs

/** RFC 3339, or a day as `YYYY-MM-DD` (UTC), which as an end counts whole. Null when it is neither. */
export function readTime(text: string | undefined, isEnd: boolean): number | null {
  if (text === undefined) return null
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text)
  if (!isDay && !/^\d{4}-\d\d-\d\dt\d\d:\d\d:\d\d(\.\d+)?(z|[+-]\d\d:\d\d)$/i.test(text)) return null
  const at = Date.parse(isDay ? `${text}T00:00:00Z` : text.toUpperCase())
  if (Number.isNaN(at)) return null
  return Math.min(Math.max(isDay && isEnd ? at + dayMs : at, 0), latest)
}

/** What ends at `now`, with the hour under way; a period of one hour is that one and the one before. */
function upToNow(period: string | undefined, now: number): Range & { length: number } {
  const to = hourOf(now) + hourMs
  if (period === "today") return { from: dayOf(now), to, length: dayMs }
  const length = (Object.hasOwn(lengths, period ?? "") && lengths[period as string]) || dayMs
  return { from: length === hourMs ? hourOf(now - length) : now - length, to, length }
}

export function rangeOf({ from, to, period }: Asked, now: number): Range {
  const [begin, end] = [readTime(from, false), readTime(to, true)]
  const usual = upToNow(period, now)
  return { from: begin ?? (end === null ? usual.from : Math.max(end - usual.length, 0)), to: end ?? usual.to }
}

/** The time asked for, and as much before it. Of today: all of yesterday. */
export function comparedRanges({ from, to, period }: Asked, now: number): { current: Range; previous: Range } {
  const [begin, end] = [readTime(from, false), readTime(to, true)]
  if ((!period || period === "custom") && begin !== null && end !== null) {
    return { current: { from: begin, to: end }, previous: { from: Math.max(begin - Math.max(end - begin, 0), 0), to: begin } }
  }
  const { length, ...current } = upToNow(period, now)
  return { current, previous: { from: current.from - length, to: current.from } }
}
