import OpenAI from "openai"

const client = new OpenAI({
  baseURL: `${process.env.PLUGBOARD_URL ?? "http://127.0.0.1:18790"}/v1`,
  // Any text will do while the gateway has no token.
  apiKey: process.env.PLUGBOARD_TOKEN ?? "none",
})
// An agent takes the place of a model; its own model, prompt and tools are settings of the gateway.
const model = `agent:${process.env.PLUGBOARD_AGENT ?? "default"}`

const whole = await client.chat.completions.create({ model, messages: [{ role: "user", content: "Hello! Who are you?" }] })
console.log("whole   ", whole.choices[0]?.message.content)

const stream = await client.chat.completions.create({
  model,
  messages: [{ role: "user", content: "Tell me about switchboards." }],
  stream: true,
  stream_options: { include_usage: true },
})
let deltas = 0
for await (const chunk of stream) {
  if (chunk.choices[0]?.delta.content) deltas += 1
  if (chunk.usage) console.log("streamed", `${deltas} pieces,`, chunk.usage.completion_tokens, "tokens")
}

// The agent's tools run in the gateway. The loopback provider calls the one that it is told to; ask a real model in your own words.
const tool = await client.chat.completions.create({ model, messages: [{ role: "user", content: '/tool datetime {"timezone":"Asia/Ho_Chi_Minh"}' }] })
console.log("tool    ", tool.choices[0]?.message.content)

const unknown = await client.chat.completions.create({ model: "agent:nobody", messages: [{ role: "user", content: "Hello?" }] }).catch((error: unknown) => error)
if (unknown instanceof OpenAI.NotFoundError) console.log("refused ", unknown.status, unknown.code, unknown.message)
