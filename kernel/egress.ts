import { lookup as systemLookup } from "node:dns"
import { isIP } from "node:net"
import { promisify } from "node:util"
import type { Http, HttpRequest, HttpResponse } from "@plugboard/sdk"
import { Agent, buildConnector, DecoratorHandler, type Dispatcher, fetch as undiciFetch } from "undici"
import { Answer, type AnswerBody } from "./egress-answer.ts"
import { fail } from "./failures.ts"
import type { GatewayLog } from "./log.ts"
import { isPublic } from "./public-address.ts"

type Lookup = typeof systemLookup
export interface EgressOptions {
  /** Host patterns of the manifest: `api.example.com`, `*.example.com`, `*`. */
  allow: readonly string[]
  /** Hosts (`name` or `name:port`) that may have private addresses. The operator's word, which may change between calls. */
  readonly allowPrivateHosts: readonly string[]
  readonly connectTimeoutMs: number
  inTransaction(): boolean
  log: GatewayLog
  lookup?: Lookup
}

const defaultTimeoutMs = 30_000
const textLimit = 10 << 20
/** What an SDK may be handed by `fetch`: it reads answers whole. */
const fetchLimit = 64 << 20
const redirectLimit = 5

/** Judged by the connector, which alone knows the address that is really connected to; read back from the error that undici hands on. */
class Refused extends Error {}

interface Exits {
  agent: Agent
  limited: Dispatcher
}
/** The operator's word at one time, and the exits that keep it. */
interface Policy extends Exits {
  hosts: readonly string[]
  open: ReadonlySet<string>
  connectTimeoutMs: number
}
/** One set of connection pools for all plugins with the same policy on private addresses: pools are by origin, and a warm connection is half of a call. */
const exits = new Map<string, Exits>()

/**
 * The one way out. The host is judged by the manifest before the call; the address after resolution, at the moment of connecting, so that a name which resolves differently
 * the second time gains nothing; and each redirect anew.
 */
export function createEgress(options: EgressOptions): Http {
  const { allow, inTransaction, log, lookup = systemLookup } = options
  let policy = policyOf(options, lookup)
  function present(): Policy {
    if (policy.hosts !== options.allowPrivateHosts || policy.connectTimeoutMs !== options.connectTimeoutMs) policy = policyOf(options, lookup)
    return policy
  }

  function refusal(url: URL, reason: string) {
    log.warn({ host: url.hostname, reason }, "outbound call refused")
    return fail("egress_refused", { host: url.hostname, reason })
  }

  function judge(url: URL): void {
    if (inTransaction()) throw new Error(`a call to ${url.hostname} was made inside a transaction, which would hold its locks for as long as the call takes`)
    if (url.protocol !== "http:" && url.protocol !== "https:") throw refusal(url, `${url.protocol} is not http or https`)
    if (url.username !== "" || url.password !== "") throw refusal(url, "the address carries a user name")
    if (!allow.some((pattern) => hostFits(url.hostname, pattern))) throw refusal(url, "the plugin's manifest does not name it under capabilities.net")
  }

  async function request(address: string, options: HttpRequest = {}): Promise<HttpResponse> {
    const url = parse(address)
    judge(url)
    const { agent, connectTimeoutMs } = present()
    const failing = (error: unknown) => asFailure(error, url, { connectTimeoutMs, ...options }, refusal)
    try {
      options.signal?.throwIfAborted()
      const answer = new Answer(options.signal)
      agent.dispatch(
        {
          origin: url.origin,
          path: url.pathname + url.search,
          method: options.method ?? "GET",
          headers: options.headers as Record<string, string> | undefined,
          body: options.body,
          headersTimeout: options.headersTimeoutMs ?? defaultTimeoutMs,
          bodyTimeout: options.idleTimeoutMs ?? defaultTimeoutMs,
        },
        answer,
      )
      const { status, headers, body } = await answer.head
      return { status, headers, body: reading(body, failing), text: (maxBytes) => textOf(body, failing, url, maxBytes) }
    } catch (error) {
      throw failing(error)
    }
  }

  const guarded: typeof globalThis.fetch = async (input, init) => {
    let { url, options } = await startOf(input, init)
    for (let redirects = 0; ; redirects += 1) {
      judge(url)
      const { limited, connectTimeoutMs } = present()
      let response: Response
      try {
        response = (await undiciFetch(url.href, { ...options, redirect: "manual", dispatcher: limited } as never)) as unknown as Response
      } catch (error) {
        throw asFailure(error, url, { connectTimeoutMs, signal: options.signal ?? undefined }, refusal)
      }
      const location = response.headers.get("location")
      if (options.redirect === "manual" || location === null || ![301, 302, 303, 307, 308].includes(response.status)) return response
      await response.body?.cancel()
      if (options.redirect === "error") throw fail("egress_failed", { host: url.hostname, reason: "it redirects" })
      if (redirects >= redirectLimit) throw fail("egress_failed", { host: url.hostname, reason: "it redirects too often" })
      const next = parse(location, url)
      options = following(options, response.status, next.origin === url.origin)
      url = next
    }
  }

  async function check(address: string): Promise<void> {
    const url = parse(address)
    judge(url)
    const host = bare(url.hostname)
    if (isOpen(present().open, host, url.protocol, url.port)) return
    // A name that does not resolve now may resolve later; the connector judges it then.
    const addresses = isIP(host) ? [host] : await resolve(lookup, host).catch(() => [])
    if (!addresses.every(isPublic)) throw refusal(url, "it has a private address, and the administrator has not allowed it under network.allowPrivateHosts")
  }

  return { request, check, fetch: guarded }
}

function parse(address: string, base?: URL): URL {
  const url = URL.parse(address, base)
  if (!url) throw fail("egress_refused", { host: address.slice(0, 100), reason: "it is not an address" })
  return url
}

async function resolve(lookup: Lookup, host: string): Promise<string[]> {
  return (await promisify(lookup)(host, { all: true })).map(({ address }) => address)
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, "").toLowerCase()
}

function hostFits(host: string, pattern: string): boolean {
  if (pattern === "*") return true
  const plain = host.replace(/\.$/, "").toLowerCase()
  return pattern.startsWith("*.") ? plain.endsWith(pattern.slice(1).toLowerCase()) : plain === pattern.toLowerCase()
}

function isOpen(open: ReadonlySet<string>, host: string, protocol: string, port: string | number | null): boolean {
  return open.has(host) || open.has(`${host}:${port || (protocol === "https:" ? "443" : "80")}`)
}

function policyOf({ allowPrivateHosts: hosts, connectTimeoutMs }: EgressOptions, lookup: Lookup): Policy {
  const open = new Set(hosts.map((host) => host.toLowerCase()))
  return { hosts, open, connectTimeoutMs, ...exitsFor(open, connectTimeoutMs, lookup) }
}

function exitsFor(open: ReadonlySet<string>, connectTimeoutMs: number, lookup: Lookup): Exits {
  const make = (): Exits => {
    const agent = new Agent({
      connect: guardedConnector(open, connectTimeoutMs, lookup),
      allowH2: false,
      connections: 1_024,
      keepAliveTimeout: 30_000,
      headersTimeout: defaultTimeoutMs,
      bodyTimeout: defaultTimeoutMs,
      maxHeaderSize: 32_768,
    })
    return { agent, limited: agent.compose((dispatch) => (options, handler) => dispatch(options, limitSize(handler))) }
  }
  if (lookup !== systemLookup) return make()
  const key = [connectTimeoutMs, ...[...open].sort()].join(" ")
  const known = exits.get(key) ?? make()
  exits.set(key, known)
  return known
}

function guardedConnector(open: ReadonlySet<string>, connectTimeoutMs: number, lookup: Lookup): buildConnector.connector {
  const options = { timeout: connectTimeoutMs, allowH2: false }
  const anywhere = buildConnector({ ...options, lookup } as buildConnector.BuildOptions)
  const publicOnly = buildConnector({ ...options, lookup: publicLookup(lookup) } as buildConnector.BuildOptions)
  return function connectGuarded(target, callback) {
    const host = bare(target.hostname)
    if (isOpen(open, host, target.protocol, target.port)) return anywhere(target, callback)
    // A literal address is not looked up.
    if (isIP(host) && !isPublic(host)) return callback(new Refused("it is a private address"), null)
    publicOnly(target, callback)
  }
}

/** Resolves like any other look-up, and gives only addresses that are public: the socket connects to one of them and to nothing else. */
function publicLookup(lookup: Lookup) {
  return function lookUpPublic(host: string, options: { all?: boolean; family?: number }, callback: (error: Error | null, ...answer: unknown[]) => void): void {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error)
      const fit = addresses.filter(({ address }) => isPublic(address))
      const [first] = fit
      if (!first) return callback(new Refused("it resolves to a private address"))
      if (options.all) callback(null, fit)
      else callback(null, first.address, first.family)
    })
  }
}

/** Ends an answer that no SDK should hold in memory. */
function limitSize(handler: Dispatcher.DispatchHandler): Dispatcher.DispatchHandler {
  let left = fetchLimit
  return Object.assign(new DecoratorHandler(handler), {
    onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
      left -= chunk.length
      if (left < 0) controller.abort(new Error(`its answer is larger than ${fetchLimit} bytes`))
      else handler.onResponseData?.(controller, chunk)
    },
  })
}

async function startOf(input: Parameters<typeof globalThis.fetch>[0], init: RequestInit = {}): Promise<{ url: URL; options: RequestInit }> {
  if (!(input instanceof Request)) return { url: parse(String(input)), options: init.body instanceof FormData ? await asBytes(init, init.body) : init }
  const { method, headers, signal, redirect } = input
  const body = input.body === null ? undefined : await input.arrayBuffer()
  return { url: parse(input.url), options: { method, headers, signal, redirect, body, ...init } }
}

/** undici knows a form only when it is of its own class. */
async function asBytes(init: RequestInit, form: FormData): Promise<RequestInit> {
  const encoded = new Response(form)
  const headers = new Headers(init.headers)
  headers.set("content-type", encoded.headers.get("content-type") ?? "multipart/form-data")
  return { ...init, headers, body: await encoded.arrayBuffer() }
}

/** The next request of a redirect. A key that was meant for one host is not shown to another. Source: the WHATWG Fetch standard, section 4.4. */
function following(options: RequestInit, status: number, sameOrigin: boolean): RequestInit {
  const headers = new Headers(options.headers)
  if (!sameOrigin) for (const name of ["authorization", "cookie", "proxy-authorization", "x-api-key", "x-goog-api-key"]) headers.delete(name)
  const method = (options.method ?? "GET").toUpperCase()
  const turnsToGet = status === 303 ? method !== "HEAD" : status < 303 && method === "POST"
  if (!turnsToGet) return { ...options, headers }
  for (const name of ["content-type", "content-length", "content-encoding"]) headers.delete(name)
  return { ...options, headers, method: "GET", body: undefined }
}

/** The body with its failures in our words. */
function reading(body: AnswerBody, failing: (error: unknown) => unknown): AsyncIterableIterator<Uint8Array> {
  return {
    next: () => body.next().catch((error: unknown) => Promise.reject(failing(error))),
    return: () => body.return(),
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

async function textOf(body: AnswerBody, failing: (error: unknown) => unknown, url: URL, maxBytes = textLimit): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const part of body) {
      size += part.length
      if (size > maxBytes) throw fail("egress_failed", { host: url.hostname, reason: `its answer is larger than ${maxBytes} bytes` })
      parts.push(part)
    }
  } catch (error) {
    throw failing(error)
  }
  return parts.length === 1 ? (parts[0] as Buffer).toString("utf8") : Buffer.concat(parts).toString("utf8")
}

type Limited = HttpRequest & { connectTimeoutMs: number }
/** The codes of undici's and Node's time limits, and how long each is. */
const limits: Readonly<Record<string, (options: Limited) => number>> = {
  UND_ERR_CONNECT_TIMEOUT: ({ connectTimeoutMs }) => connectTimeoutMs,
  ETIMEDOUT: ({ connectTimeoutMs }) => connectTimeoutMs,
  UND_ERR_HEADERS_TIMEOUT: ({ headersTimeoutMs }) => headersTimeoutMs ?? defaultTimeoutMs,
  UND_ERR_BODY_TIMEOUT: ({ idleTimeoutMs }) => idleTimeoutMs ?? defaultTimeoutMs,
}

/** An abort stays what it is. Messages of the network carry no headers, hence no keys; that of a header that does not fit may, and is not repeated. */
function asFailure(error: unknown, url: URL, options: Limited, refusal: (url: URL, reason: string) => Error): unknown {
  if (options.signal?.aborted || (error as Error).name === "AbortError" || (error instanceof Error && "failure" in error)) return error
  const chain = chainOf(error)
  const refused = chain.find((one) => one instanceof Refused)
  if (refused) return refusal(url, refused.message)
  const code = chain.map((one) => (one as { code?: string }).code).find((one) => one !== undefined)
  const limit = code === undefined ? undefined : limits[code]
  if (limit) return fail("egress_timeout", { host: url.hostname, ms: limit(options) }, { cause: error })
  if (code === "UND_ERR_INVALID_ARG" || (error instanceof TypeError && error.cause === undefined))
    return fail("egress_failed", { host: url.hostname, reason: "the request does not fit into HTTP" })
  return fail("egress_failed", { host: url.hostname, reason: code ?? chain.at(-1)?.message ?? "unknown" }, { cause: error })
}

/** The error, what caused it, and the attempts that an AggregateError of several addresses holds. */
function chainOf(error: unknown): Error[] {
  const chain: Error[] = []
  for (let at = error; at instanceof Error && chain.length < 8; at = at.cause) chain.push(at, ...(at instanceof AggregateError ? (at.errors as Error[]) : []))
  return chain
}
