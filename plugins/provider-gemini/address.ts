import type { ProviderConnection } from "@plugboard/sdk"

export interface Address {
  /** Without the version. */
  root: string
  version: string
}

/** Takes the native address, the one of Google's OpenAI-compatible API, and one without a version. Source: wire contract, http-core 6. */
export function addressOf({ baseUrl }: ProviderConnection): Address {
  const base = baseUrl.replace(/\/+$/, "").replace(/\/openai$/, "")
  const [, root = base, version = "v1beta"] = /^(.*)\/(v\d\w*)$/.exec(base) ?? []
  return { root, version }
}

/** `models/gemini-2.0-flash`, each segment encoded; undefined for a name that would lead somewhere else. */
export function pathOf(model: string): string | undefined {
  const segments = (model.includes("/") ? model : `models/${model}`).split("/")
  return segments.some((segment) => /^\.*$/.test(segment)) ? undefined : segments.map(encodeURIComponent).join("/")
}
