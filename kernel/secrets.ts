import { createCipheriv, createDecipheriv, hash, randomBytes } from "node:crypto"
import type { Redactor } from "./log.ts"

export interface SecretBox {
  /** `v1:<key id>:<base64 of nonce, ciphertext and tag>`. Opens only for the same tenant, plugin and field. */
  seal(tenantId: string, plugin: string, field: string, clear: string): string
  /** Throws when the text was made with another key, or for another place. */
  open(tenantId: string, plugin: string, field: string, sealed: string): string
}

const nonceBytes = 12
const tagBytes = 16

/** AES-256-GCM with the place of the value as associated data, so that a sealed value that is moved elsewhere does not open. Every value that passes is masked in logs from then on. */
export function createSecrets(key: Buffer, redactor: Redactor): SecretBox {
  const keyId = hash("sha256", key, "hex").slice(0, 8)
  const place = (tenantId: string, plugin: string, field: string) => Buffer.from(JSON.stringify([tenantId, plugin, field]))
  return {
    seal(tenantId, plugin, field, clear) {
      redactor.add(clear, plugin)
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(place(tenantId, plugin, field))
      const sealed = Buffer.concat([nonce, cipher.update(clear, "utf8"), cipher.final(), cipher.getAuthTag()])
      return `v1:${keyId}:${sealed.toString("base64")}`
    },
    open(tenantId, plugin, field, sealed) {
      const [version, madeWith, text] = sealed.split(":")
      if (version !== "v1" || madeWith !== keyId || text === undefined) {
        throw new Error(`a secret was sealed with another key (${madeWith ?? "unknown"}, this is ${keyId}); set PLUGBOARD_ENCRYPTION_KEY to the key that it was sealed with`)
      }
      const bytes = Buffer.from(text, "base64")
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes)).setAAD(place(tenantId, plugin, field))
      decipher.setAuthTag(bytes.subarray(-tagBytes))
      const clear = decipher.update(bytes.subarray(nonceBytes, -tagBytes), undefined, "utf8") + decipher.final("utf8")
      redactor.add(clear, plugin)
      return clear
    },
  }
}
