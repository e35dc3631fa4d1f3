import { deepEqual, equal, ok } from "node:assert/strict"
import { followingBeat, isActive, isTimezone, nextActive } from "./active-hours.ts"

const berlin = (start: string, end: string) => ({ start, end, timezone: "Europe/Berlin" })
const at = (text: string) => Date.parse(text)
const iso = (ms: number) => new Date(ms).toISOString().replace(":00.000Z", "Z")

describe("active hours", () => {
  for (const [hours, time, active] of [
    [berlin("08:00", "22:00"), "2027-01-15T07:00Z", true],
    [berlin("08:00", "22:00"), "2027-01-15T06:59Z", false],
    [berlin("08:00", "22:00"), "2027-07-15T06:00Z", true],
    [berlin("08:00", "22:00"), "2027-07-15T20:00Z", false],
    [berlin("22:00", "06:00"), "2027-01-15T22:30Z", true],
    [berlin("22:00", "06:00"), "2027-01-15T05:30Z", false],
    [berlin("22:00", ""), "2027-01-15T22:59Z", true],
    [berlin("", "06:00"), "2027-01-15T05:00Z", false],
    [berlin("", ""), "2027-01-15T03:00Z", true],
    [berlin("09:00", "09:00"), "2027-01-15T03:00Z", true],
    [{ start: "08:00", end: "09:00", timezone: "" }, "2027-01-15T08:30Z", true],
    [{ start: "00:00", end: "00:30", timezone: "Asia/Kathmandu" }, "2027-01-14T18:20Z", true],
  ] as const) {
    it(`${hours.start || "…"} to ${hours.end || "…"} (${hours.timezone || "UTC"}) ${active ? "hold" : "leave out"} ${time}`, () => equal(isActive(hours, at(time)), active))
  }

  for (const [what, hours, time, next] of [
    ["the same time within them", berlin("08:00", "22:00"), "2027-01-15T12:34Z", "2027-01-15T12:34Z"],
    ["their beginning on that day", berlin("08:00", "22:00"), "2027-01-15T03:00Z", "2027-01-15T07:00Z"],
    ["their beginning on the next day", berlin("08:00", "22:00"), "2027-01-15T21:30Z", "2027-01-16T07:00Z"],
    ["an hour less when summer time begins in between", berlin("08:00", "22:00"), "2027-03-27T21:30Z", "2027-03-28T06:00Z"],
    ["an hour more when it ends in between", berlin("08:00", "22:00"), "2027-10-30T20:30Z", "2027-10-31T07:00Z"],
    ["the hour behind, when their beginning is left out", berlin("02:30", "05:00"), "2027-03-28T00:30Z", "2027-03-28T01:30Z"],
  ] as const) {
    it(`come next at ${what}`, () => equal(iso(nextActive(hours, at(time))), next))
  }

  for (const [day, hours] of [
    ["2027-03-28", 23],
    ["2027-10-31", 25],
  ] as const) {
    it(`hold every beat of a day of ${hours} hours, and no other`, () => {
      const [daytime, night] = [berlin("06:00", "22:00"), berlin("22:00", "06:00")]
      const beats = (of: ReturnType<typeof berlin>) => {
        const found: number[] = []
        const midnight = at(`${day}T00:00:00${hours === 23 ? "+01:00" : "+02:00"}`)
        for (let due = nextActive(of, midnight); due < midnight + hours * 3_600_000; due = followingBeat(of, 1_800, due, due)) found.push(due)
        return found
      }
      const wall = new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/Berlin", hour: "2-digit", minute: "2-digit" })
      ok(beats(daytime).every((beat) => wall.format(beat) >= "06:00" && wall.format(beat) < "22:00"))
      deepEqual([beats(daytime).length, beats(night).length], [32, (hours - 16) * 2])
    })
  }

  it("keep the beat of an interval, whatever was missed", () => {
    const always = { start: "", end: "", timezone: "" }
    deepEqual(
      [10_200, 1_930_000, 9_000].map((now) => followingBeat(always, 300, 10_000, now)),
      [310_000, 2_110_000, 310_000],
    )
  })

  it("know time zones by their names", () => deepEqual(["Europe/Berlin", "UTC", "Mars/Olympus", ""].map(isTimezone), [true, true, false, false]))
})
