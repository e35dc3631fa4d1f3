import { deepEqual, equal, ok } from "node:assert/strict"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { type ChatRoom, chatRoom } from "../chat-room.ts"
import { splitArguments } from "../upstream/faults.ts"

const run = promisify(execFile)
/** One that has OpenAI's package; without one these tests are left out. */
const python = process.env.TEST_PYTHON ?? "python3"

describe("OpenAI's package for Python as a client", () => {
  let room: ChatRoom
  let done: Readonly<Record<string, { value?: unknown; error?: string }>>
  before(async function () {
    const found = await run(python, ["-c", "import openai, pydantic"]).catch(() => undefined)
    if (!found) return this.skip()
    room = await chatRoom()
    const env = { PATH: process.env.PATH, BASE_URL: `${room.gateway.url}/v1`, API_KEY: (await room.user("pythia")).key }
    const { stdout } = await run(python, [join(import.meta.dirname, "openai_client.py")], { env, timeout: 55_000 })
    done = JSON.parse(stdout)
  })
  after(() => room?.close())

  const came = (task: string, value: unknown) => deepEqual(done[task], { value })

  it("chats", () => came("chat", ["word0 word1 word2", "stop", 3]))
  it("streams, with usage", () => came("stream", ["word0 word1 word2", 3]))
  it("asks an agent, whole and streamed", () => came("agent", [true, true]))
  it("calls tools and gives their results back", () => came("call_tools", [["datetime", "datetime"], splitArguments, "word0"]))
  it("gets structured output", () => {
    came("structured", "Hanoi")
    equal(room.upstream.requests.find(({ body }) => body?.model === "echo")?.body.response_format.type, "json_schema")
  })
  it("asks over responses", () => came("responses", ["word0 word1 word2", "response.created", "response.completed"]))
  it("embeds", () =>
    came("embeddings", [
      [0, 3],
      [1, 3],
    ]))
  it("lists models", () => {
    const models = done.models?.value as string[]
    ok(models.includes("agent:default") && models.some((model) => model.startsWith("upstream/")))
  })
  it("aborts, and the upstream call with it", async () => {
    came("abort", true)
    equal(await room.upstream.requests.find(({ body }) => body?.model === "paced-2000-20")?.closed, true)
  })
  it("raises the class that belongs to each failure", () =>
    came("errors", {
      "upstream/status-400": ["BadRequestError", 400, true],
      "upstream/status-404": ["NotFoundError", 404, true],
      "upstream/limited-60": ["RateLimitError", 429, true],
      "upstream/status-401": ["InternalServerError", 502, true],
      "upstream/status-503": ["InternalServerError", 503, true],
      "agent:nobody": ["NotFoundError", 404, true],
      "a wrong key": ["AuthenticationError", 401, true],
      "a stream that breaks": ["APIError", true],
    }))
})
