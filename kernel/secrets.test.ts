import { equal, match, notEqual, ok, throws } from "node:assert/strict"
import { createCipheriv, randomBytes } from "node:crypto"
import { isError } from "@plugboard/sdk"
import { KeyRing, keyIdOf } from "./key-ring.ts"
import { Redactor } from "./log.ts"
import { createSecrets } from "./secrets.ts"

describe("secrets", () => {
  const key = randomBytes(32)
  const boxOf = (...keys: Buffer[]) => createSecrets(new KeyRing({ file: undefined, read: () => keys }), new Redactor())
  const box = boxOf(key)
  const tenant = "0193a5b0-7000-7000-8000-00000000000a"
  const sealed = box.seal(tenant, "providers", "api_key", "sk-1234567890")

  it("open where they were sealed", () => {
    match(sealed, /^v2:[0-9a-f]{8}:[A-Za-z0-9_-]+:[A-Za-z0-9+/]+=*$/)
    ok(!sealed.includes("sk-"))
    equal(box.open(tenant, "providers", "api_key", sealed), "sk-1234567890")
    for (const clear of ["", "ä🙂", "x".repeat(100_000)]) equal(box.open(tenant, "p", "f", box.seal(tenant, "p", "f", clear)), clear)
  })

  it("never look the same twice", () => {
    notEqual(box.seal(tenant, "providers", "api_key", "sk-1234567890"), sealed)
  })

  it("do not open for another tenant, plugin or field", () => {
    throws(() => box.open("0193a5b0-7000-7000-8000-00000000000b", "providers", "api_key", sealed))
    throws(() => box.open(tenant, "tts", "api_key", sealed))
    throws(() => box.open(tenant, "providers", "secret", sealed))
    // Parts that run together otherwise must not be the same place.
    throws(() => box.open(tenant, "ab", "c", box.seal(tenant, "a", "bc", "clear")))
  })

  it("do not open when a byte was changed or cut", () => {
    const [version, keyId, place, text] = sealed.split(":") as [string, string, string, string]
    const bytes = Buffer.from(text, "base64")
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] as number) ^ 1
      throws(() => box.open(tenant, "providers", "api_key", `${version}:${keyId}:${place}:${changed.toString("base64")}`))
      throws(() => box.open(tenant, "providers", "api_key", `${version}:${keyId}:${place}:${bytes.subarray(0, at).toString("base64")}`))
    }
  })

  it("name the key that they were sealed with, when it is another", () => {
    const missing = (id: string) => (error: unknown) => isError(error, "kernel.encryption_key_missing") && error.failure.params.key === id
    throws(() => boxOf(randomBytes(32)).open(tenant, "providers", "api_key", sealed), missing(keyIdOf(key)))
    throws(() => box.open(tenant, "providers", "api_key", "plain text"), missing("?"))
  })

  /** As they were before values named their place. */
  function sealedOnce(clear: string): string {
    const nonce = randomBytes(12)
    const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(JSON.stringify([tenant, "providers", "api_key:7"])))
    return `v1:${keyIdOf(key)}:${Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()]).toString("base64")}`
  }

  it("open in their first form", () => {
    equal(box.open(tenant, "providers", "api_key:7", sealedOnce("sk-first")), "sk-first")
  })

  it("are sealed with the newest key, open with any, and are sealed anew where they are at home alone", () => {
    const newer = randomBytes(32)
    const both = boxOf(newer, key)
    equal(both.open(tenant, "providers", "api_key", sealed), "sk-1234567890")
    const anew = both.reseal(sealed, []) as string
    equal(anew.split(":")[1], keyIdOf(newer))
    equal(boxOf(newer).open(tenant, "providers", "api_key", anew), "sk-1234567890")
    const first = sealedOnce("sk-first")
    equal(both.reseal(first, [[tenant, "providers", "api_key"]]), undefined)
    equal(boxOf(newer).open(tenant, "providers", "api_key:7", both.reseal(first, [[tenant, "providers", "api_key:7"]]) as string), "sk-first")
    for (const text of [`v2:${keyIdOf(key)}:bm8:AAAA`, "v2:x", "v1:", ""]) equal(both.reseal(text, []), undefined)
  })

  it("are masked in logs from the moment they pass", () => {
    const redactor = new Redactor()
    createSecrets(new KeyRing({ file: undefined, read: () => [key] }), redactor).open(tenant, "providers", "api_key", sealed)
    equal(redactor.clean("used sk-1234567890 today"), "used *** today")
  })
})
