import { deepEqual, equal } from "node:assert/strict"
import { failureOf } from "@plugboard/sdk"
import fc from "fast-check"
import type { Auth, Credentials } from "./auth.ts"
import { gatewayToken, owner, type ScratchAuth, scratchAuth } from "./scratch.ts"

const injections = [
  "' OR '1'='1",
  "'; DROP TABLE kernel.api_keys; --",
  "\\'; SELECT pg_sleep(10); --",
  "x' UNION SELECT key_hash FROM kernel.api_keys --",
  "$1",
  "$$; SELECT 1; $$",
  "%",
  "_".repeat(64),
  "NULL",
  "{}",
  "\u0000",
  "goclaw_\u0000",
  "\ud800\udfff\ud800",
  "\ufffd",
  "０",
  "Bearer",
  "0".repeat(64),
]
const anyText = fc.oneof(
  fc.constantFrom(...injections),
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.tuple(fc.constantFrom(...injections), fc.string({ maxLength: 20 })).map((parts) => parts.join("")),
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 32, maxLength: 32 }).map((hex) => `goclaw_${hex}`),
  fc.integer({ min: 1_000, max: 20_000 }).map((length) => "'".repeat(length)),
)
const anyCredentials: fc.Arbitrary<Credentials> = fc.record({
  token: anyText,
  userId: fc.option(anyText, { nil: undefined }),
  tenantRefs: fc.array(anyText, { maxLength: 3 }),
  senderId: fc.option(anyText, { nil: undefined }),
  locale: fc.constant("en"),
})

// Bad days, S1: 5,000 hostile texts in every place that takes one.
describe("hostile credentials", function hostileCredentials() {
  this.timeout(60_000)
  let scratch: ScratchAuth
  let door: Auth
  before(async () => {
    scratch = await scratchAuth()
    door = scratch.door()
    await scratch.keys.create(owner, { name: "prey", scopes: ["operator.admin"] })
  })
  after(() => scratch.close())

  it("are never let in, and never reach the database as anything but a value", async () => {
    for (const credentials of fc.sample(anyCredentials, 5_000)) {
      const outcome = await door.resolve(credentials).catch((error: unknown) => failureOf(error)?.name ?? error)
      equal(outcome, "kernel.unauthenticated", JSON.stringify(credentials))
    }
    deepEqual(
      scratch.logs.filter((line) => !line.includes('"level":30')),
      [],
    )
    equal((await scratch.keys.list(owner, 10, 0)).length, 1)
  })

  it("around a right token change nothing but the user", async () => {
    for (const credentials of fc.sample(anyCredentials, 1_000)) {
      const caller = await door.resolve({ ...credentials, token: gatewayToken })
      equal(caller.tenantSlug, "master")
      equal(caller.role, credentials.userId && caller.userId === credentials.userId ? "admin" : "owner")
    }
  })
})
