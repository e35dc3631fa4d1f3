import type { ProviderState } from "@plugboard/sdk"

/** What a provider wants back travels in the members that clients of this format give back as they are: the signature of a thinking block, the data of a redacted one. */
export function sealState(state: ProviderState): string {
  return Buffer.from(JSON.stringify(state)).toString("base64")
}

/** Undefined for what another gateway, or a provider itself, has made. */
export function openState(text: unknown): ProviderState | undefined {
  try {
    const value = JSON.parse(Buffer.from(String(text), "base64").toString()) as Partial<ProviderState> | null
    return typeof value?.type === "string" && "data" in value ? { type: value.type, data: value.data } : undefined
  } catch {
    return undefined
  }
}
