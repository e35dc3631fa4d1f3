import { deepEqual, equal, match, rejects } from "node:assert/strict"
import { type Manifest, service } from "@plugboard/sdk"
import { readContents } from "./contents.ts"
import { PackageError } from "./package-error.ts"
import { packageOf, tarballWith } from "./scratch.ts"

const Empty = { type: "object" }
const reply = { summary: "", reply: Empty }

describe("what a package says of itself", () => {
  const whole = (contents: unknown) =>
    tarballWith([{ path: "package/plugboard.json", bytes: typeof contents === "string" ? contents : JSON.stringify(contents) }, { path: "package/index.js" }])
  const withManifest = (manifest: object) => packageOf("notes", "1.0.0", { manifest: manifest as Partial<Manifest> })

  const refused: [what: string, tarball: Buffer, reason: RegExp, remedy: RegExp][] = [
    ["no plugboard.json", tarballWith([{ path: "package/index.js" }]), /has no plugboard\.json/, /plugboard plugins pack/],
    ["a plugboard.json that is not JSON", whole("{"), /is not JSON/, /plugboard plugins pack/],
    ["the format of a later gateway", whole({ format: 2 }), /has the format 2, and this gateway reads 1/, /newer gateway/],
    ["no format", whole({}), /has the format none/, /plugboard plugins pack/],
    ["an entry outside of it", whole({ format: 1, sdk: "1.0.0", entry: "../index.js", manifest: { id: "a", version: "1.0.0", sdk: "^1.0.0" } }), /entry must match/, /./],
    [
      "an entry that is not there",
      whole({ format: 1, sdk: "1.0.0", entry: "main.js", manifest: { id: "a", version: "1.0.0", sdk: "^1.0.0" } }),
      /entry main\.js is not in it/,
      /./,
    ],
    ["members that nobody knows", withManifest({ route: {} }), /manifest\.route is unknown; did you mean routes\?/, /Correct the manifest/],
    ["a member of bundled plugins", withManifest({ essential: true }), /manifest\.essential is unknown/, /./],
    ["a method before the login", withManifest({ rpc: { "notes.open": { role: "viewer", summary: "", result: Empty, before: "connect" } } }), /before is unknown/, /./],
    ["an sdk range that does not fit", withManifest({ sdk: "^9.0.0" }), /made for SDK \^9\.0\.0, and this gateway offers/, /another version/],
    [
      "a route in the gateway's place",
      withManifest({ routes: { take: { method: "GET", path: "/v1/agents", role: "viewer", ...reply } } }),
      /route take of notes is at \/v1\/agents/,
      /\/v1\/x\/notes\//,
    ],
    [
      "a route in another's place",
      withManifest({ routes: { take: { method: "GET", path: "/v1/x/other/a", role: "viewer", ...reply } } }),
      /is at \/v1\/x\/other\/a/,
      /\/v1\/x\/notes\//,
    ],
    [
      "a method in another's name",
      withManifest({ rpc: { "agents.list": { role: "viewer", summary: "", result: Empty } } }),
      /method agents\.list of notes has a name that belongs to agents/,
      /notes\./,
    ],
    ["an event in another's name", withManifest({ events: { "chat.message": { payload: Empty, to: "all" } } }), /event chat\.message/, /notes\./],
    ["a service in another's name", withManifest({ offers: [service("agents", "1.0.0")] }), /service agents/, /notes\./],
    ["a route that says not who may call it", withManifest({ routes: { open: { method: "GET", path: "/v1/x/notes/a", ...reply } } }), /does not say who may call it/, /Add role/],
    ["a host pattern that is none", withManifest({ capabilities: { net: ["http://example.com/"] } }), /net\.0 must match pattern/, /./],
    ["tables for all tenants", withManifest({ globalTables: ["shared"] }), /belong to no tenant/, /tenant_id/],
    ["a wish to manage plugins", withManifest({ requires: [service("kernel.plugins", "1.0.0")] }), /needs the service kernel\.plugins, which manages plugins/, /administrators/],
    [
      "settings without end",
      withManifest({ config: { type: "object", properties: Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`setting${index}`, { type: "string" }])) } }),
      /more than 2000 parts/,
      /./,
    ],
    ["an id with a way out", packageOf("../notes", "1.0.0"), /its id is not made of lower-case letters/, /Rename/],
    ["a version that is none", packageOf("notes", "latest"), /is not a semantic version/, /1\.2\.3/],
  ]
  for (const [what, tarball, reason, remedy] of refused) {
    it(`is refused with ${what}, and with what to do`, () =>
      rejects(readContents(tarball), (error: unknown) => {
        equal(error instanceof PackageError, true, String(error))
        match((error as Error).message, reason)
        match((error as PackageError).remedy, remedy)
        return true
      }))
  }

  it("is refused when it goes deeper than any schema does", () => {
    let deep: object = {}
    for (let level = 0; level < 80; level++) deep = { properties: { a: deep } }
    return rejects(readContents(withManifest({ config: deep })), /more than 64 levels/)
  })

  it("is read without running any of it", async () => {
    const { manifest, entry } = await readContents(packageOf("notes", "1.2.3", { code: "process.exit(1)" }))
    deepEqual([manifest.id, manifest.version, entry], ["notes", "1.2.3", "index.js"])
  })
})
