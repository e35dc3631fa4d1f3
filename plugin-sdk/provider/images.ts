import { failureOf } from "../errors.ts"
import type { Http, HttpResponse } from "../host.ts"
import type { LlmRequest, ModelMessage, ProviderConnection } from "../points/provider.ts"
import type { ProviderFailures, ProviderHost } from "./failures.ts"

const largestBytes = 20 << 20
const fetchMs = 20_000
const mostRedirects = 3

export interface InlineImage {
  mediaType: string
  /** Base64. */
  data: string
}

/** The parts of a data URL with base64 in it; undefined for any other address. */
export function inlineImageOf(url: string): InlineImage | undefined {
  const [, mediaType, data] = /^data:([\w.+-]+\/[\w.+-]+)(?:;[\w=.+-]+)*;base64,(.*)$/is.exec(url) ?? []
  return mediaType === undefined || data === undefined ? undefined : { mediaType: mediaType.toLowerCase(), data }
}

/** The request with each image that stands in it by address fetched and put in place, for providers that fetch none. The same request when there is nothing to fetch. */
export async function withInlineImages(
  host: ProviderHost,
  failures: ProviderFailures,
  connection: ProviderConnection,
  request: LlmRequest,
  signal: AbortSignal,
): Promise<LlmRequest> {
  if (!request.messages.some(({ content }) => typeof content !== "string" && content.some((part) => part.type === "image" && !part.url.startsWith("data:")))) return request
  const known = new Map<string, Promise<string>>()
  const inlined = (url: string): Promise<string> => {
    const present = known.get(url) ?? fetchImage(url)
    known.set(url, present)
    return present
  }

  async function fetchImage(url: string): Promise<string> {
    try {
      return await dataUrlOf(host, url, AbortSignal.any([signal, AbortSignal.timeout(fetchMs)]))
    } catch (error) {
      signal.throwIfAborted()
      const why = String(failureOf(error)?.params.reason ?? (error as Error).message)
      throw failures.make("provider_bad_request", connection.name, `the image at ${url.slice(0, 200)} cannot be read: ${why}`, { cause: error })
    }
  }

  const messages = request.messages.map(async (message): Promise<ModelMessage> => {
    if (typeof message.content === "string") return message
    const content = message.content.map(async (part) => (part.type === "image" && !part.url.startsWith("data:") ? { type: part.type, url: await inlined(part.url) } : part))
    return { ...message, content: await Promise.all(content) }
  })
  return { ...request, messages: await Promise.all(messages) }
}

async function dataUrlOf(host: { readonly http: Http }, url: string, signal: AbortSignal): Promise<string> {
  let response = await host.http.request(url, { signal })
  for (let redirects = 0; response.status >= 300 && response.status < 400 && response.headers.location; redirects += 1) {
    if (redirects === mostRedirects) throw new Error("it redirects too often")
    url = new URL(response.headers.location, url).href
    await bytesOf(response)
    response = await host.http.request(url, { signal })
  }
  const type = response.headers["content-type"]?.split(";")[0]?.trim() ?? ""
  const bytes = await bytesOf(response)
  if (response.status !== 200) throw new Error(`status ${response.status}`)
  if (!type.startsWith("image/")) throw new Error(`it is ${type || "of no type"}`)
  return `data:${type};base64,${bytes.toString("base64")}`
}

async function bytesOf({ body }: HttpResponse): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of body) {
    size += part.length
    if (size > largestBytes) throw new Error(`it is larger than ${largestBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}
