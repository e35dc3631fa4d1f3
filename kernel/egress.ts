import { lookup, promises } from "node:dns"
import { isIP } from "node:net"
import type { Http, HttpRequest, HttpResponse } from "@plugboard/sdk"
import ipaddr from "ipaddr.js"
import { Agent, buildConnector, type Dispatcher, fetch as undiciFetch } from "undici"
import { fail } from "./failures.ts"
import type { GatewayLog } from "./log.ts"

export interface EgressOptions {
  /** Host patterns of the manifest: `api.example.com`, `*.example.com`, `*`. */
  allow: readonly string[]
  /** Hosts (`name` or `name:port`) that may have private addresses. The operator's word. */
  allowPrivateHosts: readonly string[]
  inTransaction(): boolean
  log: GatewayLog
}

const connectTimeoutMs = 10_000
const defaultTimeoutMs = 30_000
const textLimit = 10 << 20

/** Judged by the connector, which alone knows the address that is really connected to; read back from the error that undici hands on. */
class Refused extends Error {}

/** One set of connection pools for all plugins with the same policy on private addresses: pools are by origin, and a warm connection is half of a call. */
const agents = new Map<string, Agent>()

/**
 * The one way out. The host is judged by the manifest before the call; the address after resolution, at the moment of connecting, so that a name which resolves differently
 * the second time gains nothing; and each redirect anew.
 */
export function createEgress({ allow, allowPrivateHosts, inTransaction, log }: EgressOptions): Http {
  const agent = agentFor(allowPrivateHosts)

  function judge(url: URL): void {
    if (inTransaction()) throw new Error(`a call to ${url.hostname} was made inside a transaction, which would hold its locks for as long as the call takes`)
    const refuse = (reason: string) => {
      log.warn({ host: url.hostname, reason }, "outbound call refused")
      return fail("egress_refused", { host: url.hostname, reason })
    }
    if (url.protocol !== "http:" && url.protocol !== "https:") throw refuse(`${url.protocol} is not http or https`)
    if (url.username !== "" || url.password !== "") throw refuse("the address carries a user name")
    if (!allow.some((pattern) => hostFits(url.hostname, pattern))) throw refuse("the plugin's manifest does not name it under capabilities.net")
  }

  async function request(address: string, options: HttpRequest = {}): Promise<HttpResponse> {
    const url = parse(address)
    judge(url)
    try {
      const { statusCode, headers, body } = await agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: options.method ?? "GET",
        headers: options.headers as Record<string, string> | undefined,
        body: options.body,
        signal: options.signal,
        headersTimeout: options.headersTimeoutMs ?? defaultTimeoutMs,
        bodyTimeout: options.idleTimeoutMs ?? defaultTimeoutMs,
      })
      return { status: statusCode, headers: flat(headers), body: reading(body, url), text: (maxBytes) => textOf(body, url, maxBytes) }
    } catch (error) {
      throw asFailure(error, url, options)
    }
  }

  const guarded = async (input: Parameters<typeof globalThis.fetch>[0], init: RequestInit = {}): Promise<Response> => {
    let url = parse(input instanceof Request ? input.url : String(input))
    for (let redirects = 0; ; redirects += 1) {
      judge(url)
      let response: Response
      try {
        response = (await undiciFetch(url.href, { ...init, redirect: "manual", dispatcher: agent } as never)) as unknown as Response
      } catch (error) {
        throw asFailure(error, url, {})
      }
      const location = response.headers.get("location")
      if (init.redirect === "manual" || location === null || ![301, 302, 303, 307, 308].includes(response.status)) return response
      if (redirects >= 5) throw fail("egress_failed", { host: url.hostname, reason: "it redirects too often" })
      await response.body?.cancel()
      const next = new URL(location, url)
      // A key that was meant for one host is not shown to another.
      if (next.origin !== url.origin) init = { ...init, headers: without(init.headers, ["authorization", "cookie", "x-api-key"]) }
      if (response.status === 303) init = { ...init, method: "GET", body: undefined }
      url = next
    }
  }

  async function check(address: string): Promise<void> {
    const url = parse(address)
    judge(url)
    const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase()
    const named = allowPrivateHosts.some((open) => [host, `${host}:${url.port || (url.protocol === "https:" ? "443" : "80")}`].includes(open.toLowerCase()))
    if (named) return
    // A name that does not resolve now may resolve later; the connector judges it then.
    const addresses = isIP(host) ? [host] : await resolve(host).catch(() => [])
    const wrong = addresses.find((one) => !isPublic(one))
    if (wrong !== undefined) throw fail("egress_refused", { host, reason: "it has a private address, and the administrator has not allowed it under network.allowPrivateHosts" })
  }

  return { request, check, fetch: guarded as typeof globalThis.fetch }
}

function parse(address: string): URL {
  try {
    return new URL(address)
  } catch {
    throw fail("egress_refused", { host: address.slice(0, 100), reason: "it is not an address" })
  }
}

async function resolve(host: string): Promise<string[]> {
  return (await promises.lookup(host, { all: true })).map(({ address }) => address)
}

function hostFits(host: string, pattern: string): boolean {
  if (pattern === "*") return true
  const plain = host.replace(/\.$/, "").toLowerCase()
  return pattern.startsWith("*.") ? plain.endsWith(pattern.slice(1).toLowerCase()) : plain === pattern.toLowerCase()
}

function agentFor(allowPrivateHosts: readonly string[]): Agent {
  const key = [...allowPrivateHosts].sort().join(" ")
  let agent = agents.get(key)
  if (!agent) {
    agent = new Agent({ connect: guardedConnector(new Set(allowPrivateHosts.map((host) => host.toLowerCase()))), keepAliveTimeout: 30_000, connections: 256, maxHeaderSize: 32_768, pipelining: 1 })
    agents.set(key, agent)
  }
  return agent
}

function guardedConnector(allowed: ReadonlySet<string>): buildConnector.connector {
  return function connectGuarded(options, callback) {
    const host = options.hostname.replace(/^\[|\]$/g, "").toLowerCase()
    const open = allowed.has(host) || allowed.has(`${host}:${options.port || (options.protocol === "https:" ? "443" : "80")}`)
    const refusal = !open && isIP(host) && !isPublic(host) ? new Refused(`${host} is a private address`) : undefined
    if (refusal) return callback(refusal, null)
    const connectorOptions = { timeout: connectTimeoutMs, ...(!open && { lookup: publicLookup }) } as buildConnector.BuildOptions
    buildConnector(connectorOptions)(options, callback)
  }
}

/** Resolves like any other look-up, and gives only addresses that are public: the socket connects to one of them and to nothing else. */
const publicLookup = (host: string, options: { all?: boolean; family?: number | string }, callback: (error: Error | null, ...answer: unknown[]) => void): void => {
  lookup(host, { ...options, all: true } as { all: true }, (error, addresses) => {
    if (error) return callback(error)
    const fit = addresses.filter(({ address }) => isPublic(address))
    const [first] = fit
    if (!first) return callback(new Refused(`${host} resolves to a private address`))
    if (options.all) callback(null, fit)
    else callback(null, first.address, first.family)
  })
}

/** IANA's special-purpose addresses are not the public network; an IPv4 address inside an IPv6 one counts as what it is. */
export function isPublic(address: string): boolean {
  try {
    const parsed = ipaddr.process(address)
    if (parsed.range() !== "unicast") return false
    return !(parsed instanceof ipaddr.IPv6) || embeddedIsPublic(parsed)
  } catch {
    return false
  }
}

/** NAT64 and IPv4-compatible forms that the library counts as unicast. */
function embeddedIsPublic(address: ipaddr.IPv6): boolean {
  const { parts } = address
  const compatible = parts.slice(0, 6).every((part) => part === 0)
  const nat64Local = parts[0] === 0x64 && parts[1] === 0xff9b
  return !compatible && !nat64Local
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const out: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined) out[name] = Array.isArray(value) ? value.join(", ") : value
  }
  return out
}

async function* reading(body: Dispatcher.ResponseData["body"], url: URL): AsyncIterable<Uint8Array> {
  try {
    for await (const part of body) yield part as Uint8Array
  } catch (error) {
    throw asFailure(error, url, {})
  }
}

async function textOf(body: Dispatcher.ResponseData["body"], url: URL, maxBytes = textLimit): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of reading(body, url)) {
    size += part.length
    if (size > maxBytes) throw fail("egress_failed", { host: url.hostname, reason: `its answer is larger than ${maxBytes} bytes` })
    parts.push(part)
  }
  return Buffer.concat(parts).toString("utf8")
}

const timeouts = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "UND_ERR_CONNECT_TIMEOUT", "ETIMEDOUT"])

function asFailure(error: unknown, url: URL, options: HttpRequest): unknown {
  const chain = [error, (error as { cause?: unknown }).cause, ...((error as { errors?: unknown[] }).errors ?? [])]
  if ((error as { name?: string }).name === "AbortError" || options.signal?.aborted) return error
  if (error instanceof Error && "failure" in error) return error
  const refused = chain.find((one) => one instanceof Refused)
  if (refused) return fail("egress_refused", { host: url.hostname, reason: (refused as Error).message }, { cause: error })
  const code = chain.map((one) => (one as { code?: string } | undefined)?.code).find((one) => one !== undefined)
  if (code !== undefined && timeouts.has(code)) return fail("egress_timeout", { host: url.hostname, ms: options.headersTimeoutMs ?? defaultTimeoutMs }, { cause: error })
  return fail("egress_failed", { host: url.hostname, reason: code ?? (error as Error).message }, { cause: error })
}

function without(headers: RequestInit["headers"], names: readonly string[]): Headers {
  const kept = new Headers(headers)
  for (const name of names) kept.delete(name)
  return kept
}
