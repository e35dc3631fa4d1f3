import { closeSync, mkdirSync, openSync, writeSync } from "node:fs"
import { dirname, join } from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createGunzip } from "node:zlib"
import { Parser, type ReadEntry } from "tar"
import { PackageError } from "./package-error.ts"

/** What a package may be. Generous for a plugin with its dependencies, and little for whoever wants to fill a disk. */
export const packageLimits = { packedBytes: 64 << 20, bytes: 128 << 20, files: 20_000, levels: 40, pathLength: 512, nameBytes: 255 }

/** Takes the bytes of one file, then is told that it is whole. */
interface Sink {
  write(bytes: Buffer): void
  end(): void
}

/** Every file of the tarball, in its order, by its path inside the package. Rejects at the first thing that a package may not have; what came before has been visited then. */
async function visitFiles(tarball: Uint8Array, visit: (path: string, bytes: number) => Sink | undefined): Promise<void> {
  if (tarball.length > packageLimits.packedBytes) throw tooLarge(packageLimits.packedBytes)
  const names = new Names()
  let bytes = 0
  let failure: unknown
  const parser = new Parser({ strict: true })
  parser.on("error", (error: unknown) => (failure ??= error))
  const take = (entry: ReadEntry) => {
    if (failure) return entry.resume()
    try {
      const path = names.add(entry)
      bytes += entry.size
      if (bytes > packageLimits.bytes) throw tooLarge(packageLimits.bytes)
      const sink = path === undefined ? undefined : visit(path, entry.size)
      if (!sink) return entry.resume()
      entry.on("data", (chunk: Buffer) => guarded(() => sink.write(chunk)))
      entry.on("end", () => guarded(() => sink.end()))
    } catch (error) {
      failure = error
      entry.resume()
    }
  }
  const guarded = (work: () => void) => {
    try {
      if (!failure) work()
    } catch (error) {
      failure = error
    }
  }
  let ended = false
  parser.on("entry", take)
  parser.on("ignoredEntry", take)
  parser.on("eof", () => (ended = true))
  const done = new Promise<void>((resolve) => parser.on("end", resolve).on("error", () => resolve()))
  try {
    await pipeline(Readable.from(slices(tarball)), createGunzip(), async (source: AsyncIterable<Buffer>) => {
      let seen = 0
      let behind = 0
      for await (const chunk of source) {
        // A tarball in a tarball: the parser would unpack it past this count.
        if (seen === 0 && (chunk.readUInt16BE() === 0x1f8b || chunk.readUInt16BE() === 0x28b5)) throw new PackageError("it is compressed twice", remedy)
        seen += chunk.length
        // Headers count besides the files: twice the limit is reached by nothing but a bomb.
        if (seen > packageLimits.bytes * 2) throw tooLarge(packageLimits.bytes)
        // The parser would keep what comes behind the end. There is some padding in every tarball.
        if (ended) behind += chunk.length
        else parser.write(chunk)
        if (behind > mostPadding) throw new PackageError("something follows the end of its files", remedy)
        if (failure) throw failure
      }
    })
    parser.end()
    await done
    if (failure) throw failure
  } catch (error) {
    throw error instanceof PackageError ? error : new PackageError(`it is not a gzipped tarball that can be read (${(error as Error).message})`, remedy, error)
  }
}

const mostPadding = 1 << 20
const remedy = "Make it with: plugboard plugins pack FOLDER"

function tooLarge(limit: number): PackageError {
  return new PackageError(`it is larger than ${limit >> 20} MiB`, "Leave out what the plugin does not need when it runs, then pack it again.")
}

/** In small parts, so that a bomb is noticed before it has gone off. */
function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

/** The names that have come, and what they may be: no way out of the folder, on any system. */
class Names {
  /** In lower case: there are file systems that see no difference. */
  readonly #files = new Set<string>()
  readonly #folders = new Set<string>()

  /** The path inside the package; undefined for a folder. */
  add(entry: ReadEntry): string | undefined {
    const shown = JSON.stringify(entry.path.slice(0, 200))
    const folder = entry.type === "Directory"
    if (!folder && entry.type !== "File" && entry.type !== "OldFile")
      throw new PackageError(`${shown} is no plain file but ${entry.type}`, "Pack files and folders only, without links.")
    // npm puts everything under one folder, whose name counts for nothing.
    const [top, ...parts] = entry.path.replace(/\/$/, "").split("/")
    const path = parts.join("/")
    if (folder && path === "" && isName(top)) return undefined
    if (!isName(top) || parts.length === 0 || parts.length > packageLimits.levels || path.length > packageLimits.pathLength || !parts.every(isName)) {
      throw new PackageError(`the name ${shown} may not stand in a package`, remedy)
    }
    const key = path.normalize("NFC").toLowerCase()
    const above = parts.slice(1).map((_, index) =>
      key
        .split("/")
        .slice(0, index + 1)
        .join("/"),
    )
    const clash = above.some((one) => this.#files.has(one)) || this.#files.has(key) || (!folder && this.#folders.has(key))
    if (clash) throw new PackageError(`the name ${shown} is there twice`, remedy)
    for (const one of above) this.#folders.add(one)
    if (folder) {
      this.#folders.add(key)
      return undefined
    }
    this.#files.add(key)
    if (this.#files.size > packageLimits.files)
      throw new PackageError(`it has more than ${packageLimits.files} files`, "Leave out what the plugin does not need when it runs, then pack it again.")
    return path
  }
}

function isName(part: string | undefined): part is string {
  return part !== undefined && part !== "" && part !== "." && part !== ".." && !/[\p{Cc}\\:]|[. ]$/u.test(part) && Buffer.byteLength(part) <= packageLimits.nameBytes
}

/** Checks the whole tarball and writes nothing. Answers the text of the file `wanted`, when it is there, and the paths of all. */
export async function inspectTarball(tarball: Uint8Array, wanted: string, mostBytes: number): Promise<{ text: string | undefined; paths: ReadonlySet<string> }> {
  const paths = new Set<string>()
  let text: string | undefined
  await visitFiles(tarball, (path, bytes) => {
    paths.add(path)
    if (path !== wanted) return undefined
    if (bytes > mostBytes) throw new PackageError(`${path} is larger than ${mostBytes} bytes`, "Shorten it, then pack it again.")
    const parts: Buffer[] = []
    return {
      write: (part) => void parts.push(part),
      end() {
        text = Buffer.concat(parts).toString("utf8")
      },
    }
  })
  return { text, paths }
}

/** Writes its files into `folder`, which must be new. Modes and times of the tarball count for nothing. */
export function unpackTarball(tarball: Uint8Array, folder: string): Promise<void> {
  return visitFiles(tarball, (path) => {
    const target = join(folder, path)
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 })
    const file = openSync(target, "wx", 0o644)
    return { write: (bytes) => void writeSync(file, bytes), end: () => closeSync(file) }
  })
}
