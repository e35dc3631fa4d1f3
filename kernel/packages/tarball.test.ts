import { deepEqual, equal, match, rejects } from "node:assert/strict"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { PackageError } from "./package-error.ts"
import { type Entry, tarballWith } from "./scratch.ts"
import { inspectTarball, packageLimits, unpackTarball } from "./tarball.ts"

describe("a package's tarball", () => {
  const folder = mkdtempSync(join(tmpdir(), "plugboard-tarball-"))
  after(() => rmSync(folder, { recursive: true, force: true }))

  const good: Entry = { path: "package/index.js", bytes: "export {}\n" }
  const refused: [what: string, tarball: () => Buffer, reason: RegExp][] = [
    ["a way out of its folder", () => tarballWith([good, { path: "package/../../evil.js", bytes: "x" }]), /the name "package\/\.\.\/\.\.\/evil\.js" may not stand/],
    ["an absolute path", () => tarballWith([{ path: "/etc/passwd", bytes: "x" }]), /the name "\/etc\/passwd" may not stand/],
    ["a path of Windows", () => tarballWith([{ path: "package/C:\\evil.js", bytes: "x" }]), /may not stand/],
    ["an empty name", () => tarballWith([{ path: "package//index.js", bytes: "x" }]), /may not stand/],
    ["a name with a line end", () => tarballWith([{ path: "package/a\nb.js", bytes: "x" }]), /may not stand/],
    ["a file outside of the one folder", () => tarballWith([{ path: "index.js", bytes: "x" }]), /may not stand/],
    ["a symbolic link", () => tarballWith([{ path: "package/passwd", type: "2", link: "/etc/passwd" }]), /is no plain file but SymbolicLink/],
    ["a hard link", () => tarballWith([good, { path: "package/again.js", type: "1", link: "package/index.js" }]), /is no plain file but Link/],
    ["a device", () => tarballWith([{ path: "package/zero", type: "3" }]), /is no plain file but CharacterDevice/],
    ["one name twice", () => tarballWith([good, good]), /is there twice/],
    ["names that differ in case alone", () => tarballWith([good, { path: "package/INDEX.js", bytes: "x" }]), /is there twice/],
    ["a file under a file", () => tarballWith([good, { path: "package/index.js/more.js", bytes: "x" }]), /is there twice/],
    [
      "a file in place of a folder",
      () =>
        tarballWith([
          { path: "package/lib/a.js", bytes: "x" },
          { path: "package/lib", bytes: "x" },
        ]),
      /is there twice/,
    ],
    ["200 MB of zeros behind its end", () => tarballWith([good], Buffer.alloc(200 << 20)), /something follows the end/],
    ["a file of 200 MB", () => tarballWith([good, { path: "package/zeros", bytes: Buffer.alloc(200 << 20) }]), /larger than 128 MiB/],
    ["folders within folders without end", () => tarballWith([{ path: `package/${"a/".repeat(45)}b`, bytes: "" }]), /may not stand/],
    ["a tarball in a tarball", () => gzipSync(tarballWith([good])), /compressed twice/],
    ["half of itself", () => tarballWith([good, { path: "package/b", bytes: "x".repeat(50_000) }]).subarray(0, 150), /cannot be read|can be read/],
    ["text", () => Buffer.from("hello"), /not a gzipped tarball/],
    ["nothing", () => Buffer.alloc(0), /not a gzipped tarball/],
  ]
  for (const [index, [what, tarball, reason]] of refused.entries()) {
    it(`is refused with ${what}, before a file is written outside of its folder`, async () => {
      const target = join(folder, String(index))
      const fails = (error: unknown) => {
        match((error as Error).message, reason)
        equal(error instanceof PackageError && error.remedy !== "", true)
        return true
      }
      await rejects(inspectTarball(tarball(), "plugboard.json", 1_024), fails)
      await rejects(unpackTarball(tarball(), join(target, "package")), fails)
      deepEqual([existsSync(join(folder, "evil.js")), existsSync(join(target, "evil.js"))], [false, false])
    }).timeout(60_000)
  }

  it("is refused with more files than a plugin has", async () => {
    const many = Array.from({ length: packageLimits.files + 1 }, (_, index) => ({ path: `package/${index}`, bytes: "" }))
    await rejects(inspectTarball(tarballWith(many), "", 0), /more than 20000 files/)
  }).timeout(60_000)

  it("is unpacked as plain files, whatever rights its header gives", async () => {
    const target = join(folder, "good")
    await unpackTarball(tarballWith([{ path: "package/", type: "5" }, good, { path: "package/lib/deep/a.js", bytes: "a" }]), target)
    equal(readFileSync(join(target, "index.js"), "utf8"), "export {}\n")
    equal(readFileSync(join(target, "lib", "deep", "a.js"), "utf8"), "a")
    equal(statSync(join(target, "index.js")).mode & 0o7022, 0)
  })

  it("shows one text and all paths without being unpacked", async () => {
    const { text, paths } = await inspectTarball(tarballWith([good, { path: "package/plugboard.json", bytes: "{}" }]), "plugboard.json", 10)
    deepEqual([text, [...paths]], ["{}", ["index.js", "plugboard.json"]])
    await rejects(inspectTarball(tarballWith([{ path: "package/plugboard.json", bytes: "x".repeat(11) }]), "plugboard.json", 10), /larger than 10 bytes/)
  })
})
