import type { Caller, Secrets } from "@plugboard/sdk"

/** A provider's keys stand in one field, on the wire as in its row: clients know a single one. Keys hold no commas; what is sealed holds no spaces. */
const mostKeys = 50

/** Where a provider's keys are sealed: one that is copied to another row does not open there. */
function keyField(id: string): string {
  return `api_key:${id}`
}

/** Undefined when one of them does not fit into a header: it would fail at the first call, in an error that repeats it. */
export function keysIn(text: string): string[] | undefined {
  const keys = text
    .split(",")
    .map((key) => key.trim())
    .filter((key) => key !== "")
  return keys.length > 0 && keys.length <= mostKeys && keys.every((key) => /^[\x21-\x7e]+$/.test(key)) ? [...new Set(keys)] : undefined
}

/** Each is sealed by itself, so that the log masks each by itself. */
export async function sealKeys(secrets: Secrets, caller: Caller, id: string, keys: readonly string[]): Promise<string> {
  return (await Promise.all(keys.map((key) => secrets.seal(caller, keyField(id), key)))).join(" ")
}

export async function openKeys(secrets: Secrets, caller: Caller, id: string, sealed: string): Promise<string[]> {
  return Promise.all(sealed.split(" ").map((key) => secrets.open(caller, keyField(id), key)))
}
