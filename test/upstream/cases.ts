import type { LlmRequest } from "@plugboard/sdk"
import type { ProviderConformanceOptions } from "@plugboard/sdk/testing"
import { splitArguments, splitText } from "./faults.ts"
import type { Upstream } from "./provider.ts"

const ask = (model: string): Pick<LlmRequest, "model" | "messages"> => ({ model, messages: [{ role: "user", content: "hello" }] })
const datetime = { name: "datetime", description: "The time of day.", parameters: { type: "object", properties: { tz: { type: "string" } } } }
const picture = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
const apiKey = "sk-canary-0123456789abcdef"

/** What the conformance kit asks of a provider type whose provider is one of this folder. Each such provider knows these models. */
export function upstreamCases(start: (options: { key: string }) => Promise<Upstream>): Omit<ProviderConformanceOptions, "plugin" | "type" | "config"> {
  const open: Upstream[] = []
  after(() => Promise.all(open.map((one) => one.close())))
  return {
    async connection() {
      const upstream = await start({ key: apiKey })
      open.push(upstream)
      return { name: "upstream", baseUrl: upstream.url, apiKey, settings: {} }
    },
    request: ask("words-20"),
    slow: ask("paced-100-100"),
    tool: { ...ask("tool-split"), tools: [datetime] },
    image: {
      model: "words-3",
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is it?" },
            { type: "image", url: picture },
          ],
        },
      ],
    },
    failures: {
      provider_auth: { connection: { apiKey: "sk-another-0123456789" } },
      provider_not_found: { request: ask("status-404") },
      provider_rate_limited: { request: ask("limited-3600") },
      provider_overloaded: { request: ask("status-529") },
      provider_context_length: { request: ask("too-long") },
      provider_content_filter: { request: ask("filtered") },
      provider_bad_request: { request: ask("status-422") },
      provider_timeout: { request: ask("hang") },
      provider_network: { connection: { baseUrl: "http://127.0.0.1:9/v1" } },
      provider_broken_stream: { request: ask("cut-after-3") },
    },
    faults: {
      unauthorized: { request: ask("tells-key") },
      unknownModel: { request: ask("status-404") },
      failing: { request: ask("status-500") },
      overloaded: { request: ask("status-529") },
      limitedShortly: { request: ask("limited-2") },
      limitedLong: { request: ask("limited-3600") },
      silent: { request: ask("hang") },
      silentWithin: { request: ask("hang-after-3") },
      cut: { request: ask("cut-after-3") },
      malformed: { request: ask("malformed") },
      unknownFields: { request: ask("unknown-fields"), text: "hello" },
      splitCall: { request: { ...ask("tool-split"), tools: [datetime] }, arguments: splitArguments },
      splitText: { request: ask("split"), text: splitText },
      large: { request: ask("large") },
    },
  }
}

/** Settings under which `hang` and `hang-after` are too long. */
export const impatient = { firstByteMs: 700, idleMs: 700 }
