import { deepEqual } from "node:assert/strict"
import type { AgentProfile, Caller, Started, StoredMessage } from "@plugboard/sdk"
import { shown } from "./remembered.ts"
import { Run } from "./run.ts"

const user = (content: string, ordinal = 1) => ({ ordinal, message: { role: "user" as const, content } })
const answer = { ordinal: 2, message: { role: "assistant" as const, content: "yes" } }
const summary = "[Summary of the conversation before this point]\nThey met.\n[End of the summary]"

describe("what a model is shown of a session", () => {
  it("has the summary in the user's first message, before its words", () => {
    deepEqual(shown("", [user("hello"), answer]), [user("hello").message, answer.message])
    deepEqual(shown("They met.", [user("hello"), answer]), [{ role: "user", content: `${summary}\n\nhello` }, answer.message])
    const image = { type: "image" as const, url: "http://x/y.png" }
    deepEqual(shown("They met.", [{ ordinal: 1, message: { role: "user", content: [image] } }]), [{ role: "user", content: [{ type: "text", text: summary }, image] }])
  })

  it("has it in one of its own where the assistant comes first", () => {
    deepEqual(shown("They met.", [answer]), [{ role: "user", content: summary }, answer.message])
  })

  describe("when its beginning is cut off", () => {
    const stored = (ordinal: number, role: StoredMessage["role"], more: Partial<StoredMessage> = {}): StoredMessage => ({
      id: String(ordinal),
      ordinal,
      role,
      content: role,
      createdAt: "",
      ...more,
    })
    // The first two messages of this turn are not among them.
    const history = [stored(3, "tool", { toolCallId: "a" }), stored(4, "assistant"), stored(5, "user"), stored(6, "assistant")]
    function seated(more: Partial<Started>, maxChars = 1_000): string[] {
      const turn = { sessionKey: "s", agentKey: "a", channel: "ws", chatId: "c", message: "now", whenBusy: "queue" as const }
      const run = new Run({} as Caller, { agent: {} as AgentProfile, turn, runId: "r", stream: true, instructions: [] })
      run.seat({ outcome: "started", runId: "r", ordinal: 7, model: "", history, summarizedTo: 0, truncated: true, ...more }, maxChars)
      return run.conversation.map(({ ordinal, message }) => `${ordinal} ${message.role}`)
    }

    it("begins with a user, behind a summary too", () => {
      for (const more of [{}, { summary: "They met.", summarizedTo: 1 }]) deepEqual(seated(more), ["5 user", "6 assistant", "7 user"])
    })
    it("begins with a user also where the text is too long", () => deepEqual(seated({ truncated: false }, 24), ["5 user", "6 assistant", "7 user"]))
    it("begins right behind the summary where nothing is missing", () => {
      deepEqual(seated({ history: history.slice(1), summary: "They met.", summarizedTo: 3, truncated: false }), ["4 assistant", "5 user", "6 assistant", "7 user"])
    })
  })
})
