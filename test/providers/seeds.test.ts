import { deepEqual } from "node:assert/strict"
import { testGateway } from "@plugboard/sdk/testing"

/** Name and type of the provider that each key makes. */
const seeds: Readonly<Record<string, readonly [name: string, type: string]>> = {
  ANTHROPIC_API_KEY: ["anthropic", "anthropic_native"],
  OPENAI_API_KEY: ["openai", "openai_compat"],
  GEMINI_API_KEY: ["gemini", "gemini_native"],
  GROQ_API_KEY: ["groq", "groq"],
  DEEPSEEK_API_KEY: ["deepseek", "deepseek"],
  MISTRAL_API_KEY: ["mistral", "mistral"],
  XAI_API_KEY: ["xai", "xai"],
  OPENROUTER_API_KEY: ["openrouter", "openrouter"],
  MINIMAX_API_KEY: ["minimax", "minimax_native"],
  DASHSCOPE_API_KEY: ["dashscope", "dashscope"],
}

describe("a key in the environment", () => {
  for (const prefix of ["", "GOCLAW_"]) {
    it(`makes a provider of its own type, named ${prefix === "" ? "as the provider is known" : "the same with GOCLAW_ before it"}, with a masked key`, async () => {
      const env = Object.fromEntries(Object.keys(seeds).map((variable) => [prefix + variable, "key-canary-0123456789"]))
      const gateway = await testGateway({ env })
      const { providers } = (await gateway.as("admin").get("/v1/providers")).body
      await gateway.close()
      deepEqual(
        providers.map(({ name, provider_type, api_key, enabled }: Record<string, unknown>) => [name, provider_type, api_key, enabled]),
        Object.values(seeds)
          .map(([name, type]) => [name, type, "***", true])
          .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
      )
    })
  }
})
