import { Readable } from "node:stream"
import { buffer } from "node:stream/consumers"
import { pipeline } from "node:stream/promises"
import { createGunzip, createGzip } from "node:zlib"
import { Header, Parser, type ReadEntry } from "tar"

export interface ArchiveFile {
  name: string
  content: Buffer
}

/** A gzipped tarball of plain files. */
export function pack(files: Iterable<ArchiveFile> | AsyncIterable<ArchiveFile>): Promise<Buffer> {
  async function* blocks(): AsyncGenerator<Buffer> {
    for await (const { name, content } of files) {
      const header = new Header({ path: name, size: content.length, type: "File", mode: 0o644, mtime: new Date() })
      header.encode()
      yield header.block as Buffer
      yield content
      yield Buffer.alloc((512 - (content.length % 512)) % 512)
    }
    yield Buffer.alloc(1_024)
  }
  return buffer(Readable.from(blocks()).pipe(createGzip()))
}

/** Why an archive is not read: too large, or no archive. */
export class UnreadableArchive extends Error {
  readonly tooLarge: boolean

  constructor(message: string, tooLarge: boolean) {
    super(message)
    this.tooLarge = tooLarge
  }
}

/**
 * Files of an archive by name, of those that are `wanted`; nothing is written anywhere, so that no name leads out of a folder.
 * Unpacked it has at most `mostBytes`: a small one may hold much.
 */
export async function unpack(tarball: Uint8Array, wanted: (name: string) => boolean, mostBytes: number): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>()
  const parser = new Parser({ strict: true })
  let failure: unknown
  parser.on("error", (error: unknown) => (failure ??= error))
  parser.on("ignoredEntry", (entry: ReadEntry) => entry.resume())
  parser.on("entry", (entry: ReadEntry) => {
    const parts: Buffer[] = []
    if ((entry.type !== "File" && entry.type !== "OldFile") || !wanted(entry.path) || found.has(entry.path)) return entry.resume()
    entry.on("data", (part: Buffer) => parts.push(part))
    entry.on("end", () => found.set(entry.path, Buffer.concat(parts)))
  })
  const done = new Promise<void>((resolve) => parser.on("end", resolve).on("error", () => resolve()))
  let bytes = 0
  try {
    await pipeline(Readable.from([tarball]), createGunzip(), async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) {
        // An archive in an archive: the parser would unpack it past this count.
        if (bytes === 0 && (chunk.readUInt16BE() === 0x1f8b || chunk.readUInt16BE() === 0x28b5)) throw new UnreadableArchive("compressed twice", false)
        bytes += chunk.length
        if (bytes > mostBytes) throw new UnreadableArchive(`more than ${mostBytes} bytes`, true)
        parser.write(chunk)
        if (failure) throw failure
      }
    })
    parser.end()
    await done
    if (failure) throw failure
  } catch (error) {
    throw error instanceof UnreadableArchive ? error : new UnreadableArchive((error as Error).message, false)
  }
  return found
}
