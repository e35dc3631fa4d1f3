import { deepEqual, equal } from "node:assert/strict"
import { failureOf } from "@plugboard/sdk"
import { readFrame, textFrame } from "./frame.ts"

describe("a frame", () => {
  const cases: [text: string, id: string | number, reason: string | undefined][] = [
    ['{"type":"req","id":"1","method":"health"}', "1", undefined],
    ['{"type":"req","id":7,"method":"health","params":null}', 7, undefined],
    ['{"type":"req","id":"","method":"health","params":{}}', "", undefined],
    ["hello", "", "it is not JSON"],
    ["", "", "it is not JSON"],
    ["[]", "", "it is not an object"],
    ["null", "", "it is not an object"],
    ["{}", "", "it has no type"],
    ['{"type":1,"id":"1"}', "", "it has no type"],
    ['{"type":"event","id":"1"}', "", 'its type is "event"'],
    ['{"type":"req","method":"health"}', "", "it has no id"],
    ['{"type":"req","id":{},"method":"health"}', "", "it has no id"],
    ['{"type":"req","id":"1"}', "1", "it has no method"],
    ['{"type":"req","id":2,"method":["health"]}', 2, "it has no method"],
    ['{"type":"req","id":"1","method":"health","params":[]}', "1", "its params are not an object"],
    ['{"type":"req","id":"1","method":"health","params":"x"}', "1", "its params are not an object"],
  ]
  for (const [text, id, reason] of cases) {
    it(`${text || "of nothing"} ${reason === undefined ? "can be read" : `is refused: ${reason}`}`, () => {
      const read = readFrame(text)
      equal(read.id, id)
      equal(failureOf(read.error)?.params.reason, reason)
      equal(read.frame === undefined, reason !== undefined)
    })
  }

  it("has the head that its length asks for", () => {
    const heads = [0, 125, 126, 65_535, 65_536].map((length) => {
      const frame = textFrame("x".repeat(length))
      return [frame.length - length, ...frame.subarray(0, frame.length - length)]
    })
    deepEqual(heads, [
      [2, 0x81, 0],
      [2, 0x81, 125],
      [4, 0x81, 126, 0, 126],
      [4, 0x81, 126, 255, 255],
      [10, 0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0],
    ])
  })

  it("counts bytes, not characters", () => deepEqual([...textFrame("dừng 🙂")], [0x81, 11, ...Buffer.from("dừng 🙂")]))
})
