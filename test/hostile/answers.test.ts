import { deepEqual, doesNotMatch, equal, match, ok } from "node:assert/strict"
import { join } from "node:path"
import { type TestClient, type TestGateway, testGateway } from "@plugboard/sdk/testing"
import { type Chats, keepChatting } from "./chats.ts"
import { PluginFolders } from "./write-plugin.ts"

// What a plugin answers goes through the gateway's hands: to clients, into runs, to other plugins.
const folders = new PluginFolders()

/** Taps on the way of every chat, switched on by what the user says. */
function tapping(id: string, failure: "open" | "closed"): string {
  const tap = (phase: string) => ({ phase, failure, timeoutMs: 4_000 })
  return folders.write(
    id,
    { hooks: { "prompt.assembling": tap("recall"), "llm.request": tap("shape"), "llm.stream": tap("shape"), "llm.response": tap("shape") } },
    `() => {
      const said = new Map()
      const asked = ({ caller }) => (word) => said.get(caller.userId)?.includes("${id} " + word)
      async function* swallow(source) { for await (const _ of source); }
      async function* garbage(source) { for await (const _ of source) yield [{ type: "text", text: null }] }
      async function* breaks(source) { for await (const batch of source) { yield batch; throw new Error("enough") } }
      async function* never() { await new Promise(() => undefined) }
      return { hooks: {
        "prompt.assembling": (prompt, context) => {
          said.set(context.caller.userId, prompt.message)
          const is = asked(context)
          if (is("null")) return { ...prompt, sections: null }
          if (is("zero")) return null
          if (is("seven")) return 7
          if (is("other-sections")) return { ...prompt, sections: [{ key: 1, text: {} }] }
          if (is("login")) throw Object.assign(new Error("out"), { failure: { name: "kernel.unauthenticated", kind: "UNAUTHENTICATED", params: {} } })
          return prompt
        },
        "llm.request": (call, context) => (asked(context)("no-messages") ? { ...call, request: { ...call.request, messages: "none" } } : call),
        "llm.response": (answer, context) => (asked(context)("no-message") ? { ...answer, message: undefined } : answer),
        "llm.stream": (source, context) => {
          const is = asked(context)
          if (is("swallow")) return swallow(source)
          if (is("garbage")) return garbage(source)
          if (is("breaks")) return breaks(source)
          if (is("never")) return never()
          if (is("no-stream")) return [1, 2]
          if (is("exit")) process.exit(1)
          return source
        },
      } }
    }`,
  )
}

describe("a hostile plugin, by its answers", () => {
  let gateway: TestGateway
  let client: TestClient
  let chats: Chats

  before(async () => {
    gateway = await testGateway({ sandboxed: [join(import.meta.dirname, "plugins", "mallory"), tapping("easy", "open"), tapping("strict", "closed")] })
    client = await gateway.as("operator")
    chats = keepChatting(gateway, 100)
  })
  after(async () => {
    await chats.end().finally(() => gateway.close())
    folders.remove()
  })

  const answer = (name: string) => client.get(`/v1/x/mallory/answer/${name}`)
  const ask = (content: string) => client.post("/v1/chat/completions", { messages: [{ role: "user", content }] })

  const forbidden: [name: string, what: string][] = [
    ["cookie", "sets no cookie"],
    ["cors", "opens the gateway to no other origin"],
    ["split", "adds no header behind another's value"],
    ["accel", "tells no proxy to send a file"],
    ["login", "ends no login"],
    ["odd", "switches no protocol"],
    ["path", "has no file read for it"],
    ["no stream", "passes for no stream"],
  ]
  for (const [name, what] of forbidden) {
    it(what, async () => {
      const { status, headers, body } = await answer(encodeURIComponent(name))
      equal(status, 403, JSON.stringify(body))
      match(body.error, /mallory/)
      equal(headers.get("set-cookie"), null)
      doesNotMatch(JSON.stringify(body), /root:/)
    })
  }

  it("has its pages shown without scripts and without the gateway's origin", async () => {
    const { status, headers } = await answer("page")
    equal(status, 200)
    match(headers.get("content-security-policy") ?? "", /^sandbox; default-src 'none'/)
    equal(headers.get("x-content-type-options"), "nosniff")
  })

  it("may say what is its own to say", async () => {
    const { status, headers } = await answer("own%20header")
    deepEqual([status, headers.get("x-mallory-mood")], [200, "bad"])
  })

  for (const [name, what] of [
    ["large", "24 MB"],
    ["deep", "5,000 levels"],
    ["function", "a function"],
  ] as const) {
    it(`is answered for with a 500 when it answers ${what}`, async () => {
      const { status, body } = await answer(name)
      deepEqual([status, body.code], [500, "INTERNAL"])
    })
  }

  it("changes no prototype", async () => {
    const { body } = await answer("prototype")
    deepEqual([body, ({} as { admin?: boolean }).admin], [{ fine: 1 }, undefined])
  })

  it("streams without end only for as long as somebody listens", async () => {
    const response = await client.fetch("/v1/x/mallory/answer/forever")
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    ok((await reader.read()).value)
    await reader.cancel()
  })

  describe("as a tap that is open", () => {
    for (const word of ["null", "zero", "seven", "other-sections", "login", "no-messages", "no-message", "swallow", "garbage", "never", "no-stream"]) {
      it(`is left out of a run when it answers ${word}`, async () => {
        const { status, body } = await ask(`/say easy ${word}`)
        equal(status, 200, JSON.stringify(body))
        equal(body.choices[0].message.content, `easy ${word}`)
      })
    }

    it("ends an answer with its failure when a part has gone out already", async () => {
      const { status, body } = await ask(`/say easy breaks ${"word ".repeat(2_000)}`)
      equal(status, 503, JSON.stringify(body))
      match(JSON.stringify(body), /easy/)
    })

    it("is left out of a run when its process ends in the middle of it", async () => {
      const { status, body } = await ask("/say easy exit")
      equal(status, 200, JSON.stringify(body))
      equal(body.choices[0].message.content, "easy exit")
    })
  })

  describe("as a tap that is closed", () => {
    for (const word of ["null", "seven", "other-sections", "no-messages", "swallow", "garbage", "never", "no-stream"]) {
      it(`fails the run, and is named, when it answers ${word}`, async () => {
        const { status, body } = await ask(`/say strict ${word}`)
        ok(status === 503 || status === 504, `${status} ${JSON.stringify(body)}`)
        match(JSON.stringify(body), /strict/)
      })
    }

    it("ends no login by a run", async () => {
      const { status } = await ask("/say strict login")
      equal(status, 503)
    })
  })
})
