import type { OpenAiKin } from "@plugboard/sdk"

interface Kin extends Pick<OpenAiKin, "dialect" | "embeds"> {
  base: string
  model: string
  /** `OPENROUTER`: the variable is `OPENROUTER_API_KEY`, and the seeded provider `openrouter`. */
  key: string
}

/** By provider type. Source: wire contract, http-core 6; the address of the last two: their public documentation. */
export const kin: Readonly<Record<string, Kin>> = {
  openrouter: { base: "https://openrouter.ai/api/v1", model: "anthropic/claude-sonnet-4-5-20250929", key: "OPENROUTER", dialect: { thinkingOff: "effort" } },
  minimax_native: { base: "https://api.minimax.io/v1", model: "MiniMax-M2.5", key: "MINIMAX", embeds: false },
  cohere: { base: "https://api.cohere.ai/compatibility/v1", model: "command-a", key: "COHERE" },
  perplexity: { base: "https://api.perplexity.ai", model: "sonar-pro", key: "PERPLEXITY", embeds: false },
  dashscope: { base: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", model: "qwen3-max", key: "DASHSCOPE" },
  bailian: { base: "https://coding-intl.dashscope.aliyuncs.com/v1", model: "qwen3.5-plus", key: "BAILIAN", embeds: false },
  yescale: { base: "https://api.yescale.one/v1", model: "gpt-4o", key: "YESCALE" },
  zai: { base: "https://api.z.ai/api/paas/v4", model: "glm-5", key: "ZAI", embeds: false, dialect: { thinkingOff: "thinking" } },
  zai_coding: { base: "https://api.z.ai/api/coding/paas/v4", model: "glm-5", key: "ZAI_CODING", embeds: false, dialect: { thinkingOff: "thinking" } },
  ollama_cloud: { base: "https://ollama.com/v1", model: "llama3.3", key: "OLLAMA_CLOUD", dialect: { basePath: "/v1", inlineImages: true, thinkingOff: "effort" } },
  novita: { base: "https://api.novita.ai/openai", model: "moonshotai/kimi-k2-0905", key: "NOVITA" },
  kimi_coding: { base: "https://api.kimi.com/coding/v1", model: "kimi-for-coding", key: "KIMI_CODING", embeds: false, dialect: { takesThinkingBack: true } },
}
