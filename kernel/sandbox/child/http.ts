import type { Http, HttpRequest, HttpResponse } from "@plugboard/sdk"
import type { Peer } from "../wire/peer.ts"
import type { ChildDatabase } from "./database.ts"

interface Head {
  status: number
  headers: Record<string, string>
  body: AsyncIterable<Uint8Array>
}

const textLimit = 10 << 20

/** `host.http` from the plugin's process: the gateway makes the call, under the rules of the manifest. */
export function createHttp(peer: Peer, database: ChildDatabase): Http {
  async function request(url: string, options: HttpRequest = {}): Promise<HttpResponse> {
    database.refuseInside("host.http")
    const { signal, ...rest } = options
    const { status, headers, body } = (await peer.call("http.request", [String(url), rest], signal)) as Head
    return { status, headers, body, text: (maxBytes = textLimit) => textOf(body, maxBytes) }
  }
  return {
    request,
    check: async (url) => void (await peer.call("http.check", [String(url)])),
    async fetch(input: string | URL | Request, init?: RequestInit) {
      const asked = new Request(input, init)
      const body = asked.body === null ? undefined : new Uint8Array(await asked.arrayBuffer())
      const answer = await request(asked.url, { method: asked.method as "GET", headers: Object.fromEntries(asked.headers), body, signal: asked.signal })
      const bare = answer.status === 204 || answer.status === 205 || answer.status === 304
      return new Response(bare ? null : ReadableStream.from(answer.body), { status: answer.status, headers: answer.headers })
    },
  }
}

async function textOf(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder()
  let text = ""
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
