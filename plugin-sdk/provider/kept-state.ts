import type { ProviderState } from "../points/provider.ts"

/** What a provider wants back as it was, such as signed thinking, for a member that clients of a route give back as it is. */
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
