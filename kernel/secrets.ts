import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import { fail } from "./failures.ts"
import type { EncryptionKey, KeyRing } from "./key-ring.ts"
import type { Redactor } from "./log.ts"

/** Where a sealed value belongs: it opens nowhere else. */
export type Place = readonly [tenantId: string, plugin: string, field: string]

export interface SecretBox {
  /** `v2:<key id>:<base64url of the place>:<base64 of nonce, ciphertext and tag>`, under the newest key. */
  seal(tenantId: string, plugin: string, field: string, clear: string): string
  /** Throws `kernel.encryption_key_missing` when the text was made with a key that this node has not, and an error without words when it was made for another place. */
  open(tenantId: string, plugin: string, field: string, sealed: string): string
  /** The same under the newest key; undefined when it opens at none of `places`. A value that names its own place needs none of them. */
  reseal(sealed: string, places: readonly Place[]): string | undefined
}

/** Every sealed value in a text, whatever else stands there. */
export const sealedPattern = /v1:[0-9a-f]{8}:[A-Za-z0-9+/]+={0,2}|v2:[0-9a-f]{8}:[A-Za-z0-9_-]+:[A-Za-z0-9+/]+={0,2}/g

const nonceBytes = 12
const tagBytes = 16

/** AES-256-GCM with the place of the value as associated data, so that a sealed value that is moved elsewhere does not open. Every value that passes is masked in logs from then on. */
export function createSecrets(ring: KeyRing, redactor: Redactor): SecretBox {
  return {
    seal(tenantId, plugin, field, clear) {
      redactor.add(clear, plugin)
      return sealWith(ring.newest, [tenantId, plugin, field], clear)
    },
    open(tenantId, plugin, field, sealed) {
      const parts = partsOf(sealed)
      if (!parts) throw fail("encryption_key_missing", { key: "?", has: ring.keys.map(({ id }) => id).join(", ") })
      const clear = openWith(ring.find(parts.key), [tenantId, plugin, field], parts.bytes)
      redactor.add(clear, plugin)
      return clear
    },
    reseal(sealed, places) {
      const parts = partsOf(sealed)
      if (!parts) return undefined
      for (const place of parts.place ? [parts.place] : places) {
        try {
          return sealWith(ring.newest, place, openWith(ring.find(parts.key), place, parts.bytes))
        } catch {
          // Not there, or nobody's secret at all: a text may look like one.
        }
      }
      return undefined
    },
  }
}

function sealWith(key: EncryptionKey, place: Place, clear: string): string {
  const nonce = randomBytes(nonceBytes)
  const bound = Buffer.from(JSON.stringify(place))
  const cipher = createCipheriv("aes-256-gcm", key.bytes, nonce).setAAD(bound)
  const bytes = Buffer.concat([nonce, cipher.update(clear, "utf8"), cipher.final(), cipher.getAuthTag()])
  return `v2:${key.id}:${bound.toString("base64url")}:${bytes.toString("base64")}`
}

function openWith(key: EncryptionKey, place: Place, bytes: Buffer): string {
  const decipher = createDecipheriv("aes-256-gcm", key.bytes, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes }).setAAD(Buffer.from(JSON.stringify(place)))
  decipher.setAuthTag(bytes.subarray(-tagBytes))
  return decipher.update(bytes.subarray(nonceBytes, -tagBytes), undefined, "utf8") + decipher.final("utf8")
}

/** Values of the first form do not name their place. Undefined for what is no sealed value. */
function partsOf(sealed: string): { key: string; place: Place | undefined; bytes: Buffer } | undefined {
  const [version, key, ...rest] = sealed.split(":")
  const text = rest.at(-1)
  if (key === undefined || text === undefined || rest.length !== (version === "v1" ? 1 : version === "v2" ? 2 : 0)) return undefined
  return { key, place: version === "v2" ? placeIn(rest[0] as string) : undefined, bytes: Buffer.from(text, "base64") }
}

/** A text that only looks sealed names a place where nothing opens. */
function placeIn(text: string): Place {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString("utf8")) as Place
  } catch {
    return ["", "", ""]
  }
}
