import { definePlugin } from "@plugboard/sdk"
import { manifest } from "./manifest.ts"
import { redactAnswer, redactRequest } from "./redact-messages.ts"
import { redactStream } from "./redact-stream.ts"

export default definePlugin(manifest, (host) => ({
  hooks: {
    "llm.request": redactRequest(host.config.mark),
    "llm.stream": redactStream(host.config.mark),
    "llm.response": redactAnswer(host.config.mark),
  },
}))
