import { deepEqual, equal } from "node:assert/strict"
import { type Asked, comparedRanges, rangeOf, readTime, weekOf } from "./period.ts"

const now = Date.parse("2026-03-24T10:20:30Z")
const texts = ({ from, to }: { from: number; to: number }) => [from, to].map((at) => new Date(at).toISOString().replace(":00.000Z", "").replace(".000Z", ""))

describe("periods of usage", () => {
  for (const [text, begin, end] of [
    ["2026-03-24", "2026-03-24T00:00:00.000Z", "2026-03-25T00:00:00.000Z"],
    ["2026-03-24T12:00:00+02:00", "2026-03-24T10:00:00.000Z", "2026-03-24T10:00:00.000Z"],
    ["2026-03-24t10:00:00.123456789z", "2026-03-24T10:00:00.123Z", "2026-03-24T10:00:00.123Z"],
    ["0001-01-01", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"],
  ] as const) {
    it(`read ${text}`, () =>
      deepEqual(
        [false, true].map((isEnd) => new Date(readTime(text, isEnd) as number).toISOString()),
        [begin, end],
      ))
  }

  it("leave out what is no time", () => {
    for (const text of [undefined, "", "yesterday", "2026-13-01", "1774346400000", "2026-03-24 10:00:00", "+002026-03-24T10:00:00Z"])
      equal(readTime(text, false), null, String(text))
  })

  for (const [what, asked, from, to] of [
    ["nothing", {}, "2026-03-23T10:20:30", "2026-03-24T11:00"],
    ["an hour", { period: "1h" }, "2026-03-24T09:00", "2026-03-24T11:00"],
    ["a week", { period: "7d" }, "2026-03-17T10:20:30", "2026-03-24T11:00"],
    ["a month", { period: "30d" }, "2026-02-22T10:20:30", "2026-03-24T11:00"],
    ["today", { period: "today" }, "2026-03-24T00:00", "2026-03-24T11:00"],
    ["another period", { period: "constructor" }, "2026-03-23T10:20:30", "2026-03-24T11:00"],
    ["two days", { from: "2026-03-01", to: "2026-03-02", period: "7d" }, "2026-03-01T00:00", "2026-03-03T00:00"],
    ["a beginning", { from: "2026-03-24T08:00:00Z" }, "2026-03-24T08:00", "2026-03-24T11:00"],
    ["an end", { to: "2026-03-24T08:00:00Z", period: "7d" }, "2026-03-17T08:00", "2026-03-24T08:00"],
    ["nonsense", { from: "x", to: "y" }, "2026-03-23T10:20:30", "2026-03-24T11:00"],
  ] as const satisfies readonly (readonly [string, Asked, string, string])[]) {
    it(`are found when ${what} is asked for`, () => deepEqual(texts(rangeOf(asked, now)), [from, to]))
  }

  for (const [what, asked, current, previous] of [
    ["a day", {}, ["2026-03-23T10:20:30", "2026-03-24T11:00"], ["2026-03-22T10:20:30", "2026-03-23T10:20:30"]],
    ["today", { period: "today" }, ["2026-03-24T00:00", "2026-03-24T11:00"], ["2026-03-23T00:00", "2026-03-24T00:00"]],
    ["days of its own", { from: "2026-03-10", to: "2026-03-11", period: "custom" }, ["2026-03-10T00:00", "2026-03-12T00:00"], ["2026-03-08T00:00", "2026-03-10T00:00"]],
    ["a period beside days", { from: "2026-03-10", to: "2026-03-11", period: "today" }, ["2026-03-24T00:00", "2026-03-24T11:00"], ["2026-03-23T00:00", "2026-03-24T00:00"]],
    ["half of a time", { from: "2026-03-10" }, ["2026-03-23T10:20:30", "2026-03-24T11:00"], ["2026-03-22T10:20:30", "2026-03-23T10:20:30"]],
  ] as const) {
    it(`are compared with as much before: ${what}`, () => {
      const found = comparedRanges(asked, now)
      deepEqual([texts(found.current), texts(found.previous)], [current, previous])
    })
  }

  it("begin a week on Monday", () => {
    for (const day of ["2026-03-23", "2026-03-24", "2026-03-29"]) equal(new Date(weekOf(Date.parse(`${day}T13:00:00Z`))).toISOString(), "2026-03-23T00:00:00.000Z", day)
  })
})
