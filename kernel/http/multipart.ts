import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import type { MultipartBody, UploadedFile } from "@plugboard/sdk"
import type { Context } from "koa"
import { fail } from "../failures.ts"
import { newParser, type ReadBody, reading, refuseTooLarge, unsupported } from "./parse.ts"
import { textsChecker } from "./query.ts"

/** Bytes of everything in a form that is not its file. */
const besidesFile = 1 << 20

interface Part {
  name: string | null
  originalFilename: string | null
  mimetype: string | null
}
interface Stored {
  filepath: string
  originalFilename: string | null
  mimetype: string | null
  size: number
}

/** A form with the one file that its route declares; any other file is not written at all. Names that a client gives never become paths. */
export function multipartReader(decl: MultipartBody): ReadBody {
  const checkFields = textsChecker(decl.fields, "fields")
  const limit = decl.maxBytes + besidesFile
  return async function readMultipart(ctx) {
    refuseTooLarge(ctx.req, limit)
    if (!ctx.is("multipart/form-data")) throw unsupported(ctx.req.headers["content-type"] ?? "none", "multipart/form-data")
    // A folder of its own: whatever way the request ends, removing it removes all.
    const folder = await mkdtemp(join(tmpdir(), "plugboard-upload-"))
    const done = () => rm(folder, { recursive: true, force: true })
    try {
      await reading(await formParser(ctx, decl, folder, limit), ctx, decl.maxBytes)
      const { body, files } = ctx.request as unknown as { body?: Record<string, string | string[]>; files?: Record<string, Stored | Stored[]> }
      const [stored] = [files?.[decl.file] ?? []].flat()
      return { body: { file: stored && uploaded(stored), fields: checkFields(body ?? {}) }, done }
    } catch (error) {
      await done()
      throw error
    }
  }
}

async function formParser(ctx: Context, decl: MultipartBody, folder: string, limit: number): ReturnType<typeof newParser> {
  let tooMuch: (error: unknown) => void = () => undefined
  const overLimit = new Promise<never>((_, reject) => {
    tooMuch = reject
  })
  let counting = false
  let seen = 0
  const count = (bytes: Buffer) => {
    seen += bytes.length
    if (seen > limit) tooMuch(fail("too_large", { limit: decl.maxBytes }))
  }
  const parse = await newParser({
    json: false,
    urlencoded: false,
    text: false,
    multipart: true,
    formidable: {
      uploadDir: folder,
      maxFileSize: decl.maxBytes,
      maxTotalFileSize: decl.maxBytes,
      maxFiles: 1,
      maxFields: 100,
      maxFieldsSize: besidesFile,
      allowEmptyFiles: true,
      minFileSize: 0,
      filter: ({ name }: Part) => name === decl.file,
      onPart(part: Part, handle: (part: Part) => void) {
        // The parser counts what it keeps; this counts what it drops, too. Not before the first part: nobody would listen yet.
        if (!counting) ctx.req.on("data", count)
        counting = true
        // A file without a type is a file all the same; some clients send none.
        if (part.originalFilename !== null && part.originalFilename !== undefined) part.mimetype ||= "application/octet-stream"
        handle(part)
      },
    } as never,
  })
  return (context, next) => Promise.race([parse(context, next), overLimit])
}

function uploaded(file: Stored): UploadedFile {
  // Both kinds of slashes: browsers of other systems send whole paths.
  const filename = basename((file.originalFilename ?? "").replaceAll("\\", "/")).replaceAll("\0", "")
  return { path: file.filepath, filename: filename || "file", contentType: file.mimetype ?? "application/octet-stream", bytes: file.size }
}
