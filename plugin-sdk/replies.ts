import type { TObject, TSchema } from "typebox"

/** A body of `multipart/form-data`. Files land in a temporary folder and are gone after the handler. */
export interface MultipartBody {
  readonly bodyKind: "multipart"
  readonly file: string
  readonly fields: TObject
  readonly maxBytes: number
}
export function multipart<const F extends TObject>(options: { file: string; fields: F; maxBytes: number }): MultipartBody & { fields: F } {
  return { bodyKind: "multipart", ...options }
}

/** A body taken as bytes, such as a webhook whose signature covers them. */
export interface RawBody {
  readonly bodyKind: "raw"
  readonly maxBytes: number
  readonly types?: readonly string[]
}
export function raw(options: { maxBytes: number; types?: readonly string[] }): RawBody {
  return { bodyKind: "raw", ...options }
}

export interface UploadedFile {
  /** Path of the temporary file. */
  path: string
  /** The client's name for it, without any folder. */
  filename: string
  contentType: string
  bytes: number
}

/** A reply of server-sent events. */
export interface SseReply {
  readonly replyKind: "sse"
  readonly event: TSchema
}
export function sse(event: TSchema): SseReply {
  return { replyKind: "sse", event }
}

/** A reply of bytes, with Range, ETag and HEAD. */
export interface BytesReply {
  readonly replyKind: "bytes"
  readonly contentType?: string
}
export function bytes(contentType?: string): BytesReply {
  return { replyKind: "bytes", contentType }
}

/** One server-sent event. A string is sent as it is, anything else as JSON; either becomes a `data:` line. */
export interface SseFrame {
  data: unknown
  event?: string
  id?: string
}

export interface SseAnswer {
  readonly answer: "sse"
  /** Batches: all that is ready goes out in one write. Pulled only while the client reads. Bytes are whole events, and are sent as they are. */
  readonly frames: AsyncIterable<readonly SseFrame[] | Uint8Array>
  /** Read when the first batch goes out. */
  readonly headers?: Readonly<Record<string, string>>
}
export interface BytesAnswer {
  readonly answer: "bytes"
  /** The bytes, or a path that the handler has made sure the caller may read. */
  readonly content: Uint8Array | { path: string }
  readonly contentType: string
  readonly etag?: string
  readonly filename?: string
  readonly headers?: Readonly<Record<string, string>>
}
export interface JsonAnswer<T> {
  readonly answer: "json"
  /** Bytes are JSON already, and are sent as they are. */
  readonly body: T | Uint8Array
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** What a handler answers when it is not just the body. */
export const reply = {
  sse: (frames: SseAnswer["frames"], headers?: Readonly<Record<string, string>>): SseAnswer => ({ answer: "sse", frames, headers }),
  bytes: (content: BytesAnswer["content"], options: Omit<BytesAnswer, "answer" | "content">): BytesAnswer => ({ answer: "bytes", content, ...options }),
  json: <T>(body: T | Uint8Array, options: { status?: number; headers?: Readonly<Record<string, string>> } = {}): JsonAnswer<T> => ({ answer: "json", body, ...options }),
}
