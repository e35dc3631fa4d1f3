import type { LlmRequest, ModelMessage, ProviderConnection } from "../points/provider.ts"
import type { ProviderFailures, ProviderHost } from "./failures.ts"

const largestBytes = 20 << 20
const fetchMs = 20_000

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
      const response = await host.http.fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(fetchMs)]) })
      const type = response.headers.get("content-type")?.split(";")[0]?.trim() ?? ""
      if (!response.ok || !type.startsWith("image/")) throw new Error(response.ok ? `it is ${type || "of no type"}` : `status ${response.status}`)
      const bytes = Buffer.from(await response.arrayBuffer())
      if (bytes.length > largestBytes) throw new Error(`it is larger than ${largestBytes} bytes`)
      return `data:${type};base64,${bytes.toString("base64")}`
    } catch (error) {
      signal.throwIfAborted()
      throw failures.make("provider_bad_request", connection.name, `the image at ${url.slice(0, 200)} cannot be read: ${(error as Error).message}`, { cause: error })
    }
  }

  const messages = request.messages.map(async (message): Promise<ModelMessage> => {
    if (typeof message.content === "string") return message
    const content = message.content.map(async (part) => (part.type === "image" && !part.url.startsWith("data:") ? { type: part.type, url: await inlined(part.url) } : part))
    return { ...message, content: await Promise.all(content) }
  })
  return { ...request, messages: await Promise.all(messages) }
}
