import { type Document, isDocument } from "./read-raw.ts"

/** What stands under a key with dots; undefined when nothing does. */
export function at(document: unknown, key: string): unknown {
  return key.split(".").reduce<unknown>((value, name) => (isDocument(value) && Object.hasOwn(value, name) ? value[name] : undefined), document)
}

/** The fragment that says no more than this. */
export function under(key: string, value: unknown): Document {
  return key.split(".").reduceRight<unknown>((inner, name) => Object.fromEntries([[name, inner]]), value) as Document
}

// Clients look for the address under `gateway`, and may send it back there.

export function withAddress(config: Readonly<Document>): Document {
  const { host, port, gateway } = config
  return { ...config, gateway: { host, port, ...(gateway as object) } }
}

export function withoutAddress(given: Document): Document {
  if (!isDocument(given.gateway)) return given
  const { host, port, ...gateway } = given.gateway
  return { ...(host !== undefined && { host }), ...(port !== undefined && { port }), ...given, gateway }
}
