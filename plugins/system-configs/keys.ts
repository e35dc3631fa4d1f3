const key = /^[a-zA-Z0-9._-]{1,100}$/
/** Members that clients take for something else at the top of a reply. Source: wire contract, http-core 1.4. */
const reserved = new Set(["payload", "ok", "error", "__proto__"])

export function isKey(text: string): boolean {
  return key.test(text) && !reserved.has(text)
}

const secretWords = new Set([
  "secret",
  "secrets",
  "password",
  "passwords",
  "passwd",
  "passphrase",
  "credential",
  "credentials",
  "token",
  "authorization",
  "cookie",
  "dsn",
  "apikey",
])
/** What `key` and `keys` belong to when they open something. A `sort_key` opens nothing. */
const opening = new Set(["api", "private", "access", "encryption", "signing", "auth"])

/** True when what stands under the key would be a secret: nothing here is masked. `max_tokens` counts, `bot_token` opens. */
export function namesSecret(text: string): boolean {
  const words = text
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[._-]+/)
  return words.some((word, at) => secretWords.has(word) || (/^keys?$/.test(word) && opening.has(words[at - 1] ?? "")))
}

/** A model or a provider was chosen: what is told of the ones before holds no longer. Source: wire contract, http-core 8. */
export function choosesModel(text: string): boolean {
  return /^(?:embedding|compaction|background)\.(?:provider|model)$|^agent\.default_(?:provider|model)$/.test(text)
}
export const alertKey = "alert.background.provider_error"
