import { equal, match, notEqual, ok, throws } from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { Redactor } from "./log.ts"
import { createSecrets } from "./secrets.ts"

describe("secrets", () => {
  const key = randomBytes(32)
  const box = createSecrets(key, new Redactor())
  const tenant = "0193a5b0-7000-7000-8000-00000000000a"
  const sealed = box.seal(tenant, "providers", "api_key", "sk-1234567890")

  it("open where they were sealed", () => {
    match(sealed, /^v1:[0-9a-f]{8}:[A-Za-z0-9+/]+=*$/)
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
    const [version, keyId, text] = sealed.split(":") as [string, string, string]
    const bytes = Buffer.from(text, "base64")
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] as number) ^ 1
      throws(() => box.open(tenant, "providers", "api_key", `${version}:${keyId}:${changed.toString("base64")}`))
      throws(() => box.open(tenant, "providers", "api_key", `${version}:${keyId}:${bytes.subarray(0, at).toString("base64")}`))
    }
  })

  it("name the key that they were sealed with, when it is another", () => {
    const other = createSecrets(randomBytes(32), new Redactor())
    throws(() => other.open(tenant, "providers", "api_key", sealed), new RegExp(`${sealed.split(":")[1]}.*set PLUGBOARD_ENCRYPTION_KEY`))
    throws(() => box.open(tenant, "providers", "api_key", "plain text"), /sealed with another key/)
  })

  it("are masked in logs from the moment they pass", () => {
    const redactor = new Redactor()
    createSecrets(key, redactor).open(tenant, "providers", "api_key", sealed)
    equal(redactor.clean("used sk-1234567890 today"), "used *** today")
  })
})
