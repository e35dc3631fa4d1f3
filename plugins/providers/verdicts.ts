import { failureOf, type ProviderErrorName } from "@plugboard/sdk"

/** The failure's name without its plugin; `broken` for what nobody declared. */
export function nameIn(error: unknown): string {
  const name = failureOf(error)?.name ?? "broken"
  return name.slice(name.indexOf(".") + 1)
}

const passing: ReadonlySet<string> = new Set<ProviderErrorName>(["provider_overloaded", "provider_network", "provider_rate_limited", "provider_broken_stream"])
const troubled: ReadonlySet<string> = new Set<ProviderErrorName>(["provider_overloaded", "provider_network", "provider_broken_stream", "provider_timeout"])
const atWork: ReadonlySet<string> = new Set<ProviderErrorName>(["provider_broken_stream", "provider_timeout"])

/** Another attempt at the same provider may mend it. A silence is no such thing: another one would take as long. */
export const passes = (name: string): boolean => passing.has(name)
/** It says that the model is in trouble, whoever asks. */
export const isTrouble = (name: string): boolean => troubled.has(name)
/** The provider worked on an answer, which it bills, whether or not a byte of it came; one that refuses bills nothing. */
export const isBilled = (name: string): boolean => atWork.has(name)
