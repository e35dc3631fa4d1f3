import { deepEqual, equal, ok, rejects } from "node:assert/strict"
import type { lookup as systemLookup } from "node:dns"
import { once } from "node:events"
import { createServer as createTcpServer, isIP } from "node:net"
import { failureOf, type Http } from "@plugboard/sdk"
import { createEgress, type EgressOptions } from "./egress.ts"
import { isPublic } from "./public-address.ts"

const lines: object[] = []
const log = { warn: (fields: object) => lines.push(fields) } as unknown as EgressOptions["log"]
/** Names of the tests: each look-up takes the next of its addresses, the last one stays. Everything else does not exist. */
const names: Record<string, string[]> = {}
const lookup = ((host: string, _: object, callback: (error: Error | null, answer?: object) => void) => {
  const known = isIP(host) ? [host] : names[host.replace(/\.$/, "").toLowerCase()]
  const address = known && known.length > 1 ? known.shift() : known?.[0]
  if (address === undefined) callback(Object.assign(new Error(`no such name ${host}`), { code: "ENOTFOUND" }))
  else callback(null, [{ address, family: isIP(address) }])
}) as unknown as typeof systemLookup

function egress(options: Partial<EgressOptions> = {}): Http {
  return createEgress({ allow: ["*"], allowPrivateHosts: [], connectTimeoutMs: 10_000, inTransaction: () => false, log, lookup, ...options })
}

async function failureName(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return failureOf(error)?.name ?? String(error)
}

/** One private address as people have written it to get past a filter. */
function disguises(address: string): string[] {
  const octets = address.split(".").map(Number)
  const number = octets.reduce((sum, octet) => sum * 256 + octet, 0)
  const [a = 0, b = 0, c = 0, d = 0] = octets
  const high = ((a << 8) | b).toString(16)
  const low = ((c << 8) | d).toString(16)
  const wide = [...address].map((sign) => (sign === "." ? "。" : String.fromCodePoint(0xff10 + Number(sign)))).join("")
  return [
    address,
    `${address}.`,
    String(number),
    `0x${number.toString(16)}`,
    `0${number.toString(8)}`,
    octets.map((octet) => `0x${octet.toString(16)}`).join("."),
    octets.map((octet) => `0${octet.toString(8)}`).join("."),
    `${a}.${b}.${c * 256 + d}`,
    `${a}.${(b * 256 + c) * 256 + d}`,
    wide,
    encodeURIComponent(address).replaceAll(".", "%2E"),
    `[::ffff:${address}]`,
    `[::ffff:${high}:${low}]`,
    `[0:0:0:0:0:ffff:${address}]`,
    `[::${address}]`,
    `[::ffff:0:${address}]`,
    `[64:ff9b::${address}]`,
    `[64:ff9b:1::${address}]`,
    `[2002:${high}:${low}::1]`,
    `[2001:0:4136:e378:8000:63bf:${(0xffff ^ ((a << 8) | b)).toString(16)}:${(0xffff ^ ((c << 8) | d)).toString(16)}]`,
    `[2a00:1450::5efe:${address}]`,
  ]
}

describe("egress", () => {
  let port = 0
  const canaries: { close(): void }[] = []
  let touched = 0
  before(async () => {
    const canary = createTcpServer((socket) => {
      touched += 1
      socket.destroy()
    })
    canary.listen(0, "127.0.0.1")
    await once(canary, "listening")
    ;({ port } = canary.address() as { port: number })
    canaries.push(canary)
    const six = createTcpServer(() => (touched += 1)).on("error", () => undefined)
    six.listen(port, "::1")
    canaries.push(six)
  })
  after(() => {
    for (const canary of canaries) canary.close()
  })

  it("makes no connection for any of 200 addresses that lead inside", async () => {
    const private4 = ["127.0.0.1", "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "127.255.255.254"]
    const inside = [
      "[::1]",
      "[::]",
      "[fe80::1]",
      "[fc00::1]",
      "[fd00:ec2::254]",
      "[fec0::1]",
      "[ff02::1]",
      "[2001:db8::1]",
      "[100::1]",
      "[5f00::1]",
      "[4000::1]",
      "0",
      "127.1",
      "0x7f.1",
      "255.255.255.255",
      "224.0.0.1",
      "240.0.0.1",
    ]
    const named = ["127.0.0.1.nip.test", "7f000001.rebind.test", "localtest.test", "metadata.test", "six.test", "mapped.test", "LOCALTEST.test", "localtest.test."]
    Object.assign(names, {
      "127.0.0.1.nip.test": ["127.0.0.1"],
      "7f000001.rebind.test": ["127.0.0.1"],
      "localtest.test": ["127.0.0.1"],
      "metadata.test": ["169.254.169.254"],
      "six.test": ["::1"],
      "mapped.test": ["::ffff:127.0.0.1"],
    })
    const urls = [
      ...private4.flatMap(disguises).map((host) => `http://${host}:${port}/`),
      ...inside.map((host) => `http://${host}:${port}/`),
      ...named.flatMap((host) => [`http://${host}:${port}/`, `https://${host}:${port}/`]),
      ...[
        "http://api.example.com@127.0.0.1",
        "http://127.0.0.1#@api.example.com",
        "http://api.example.com:80@[::1]",
        "http:/\\127.0.0.1",
        "http:\\\\localtest.test",
        " http://127.0.0.1",
      ].map((url) => `${url}:${port}/`),
      ...[
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "data:text/plain,x",
        "ws://127.0.0.1/",
        "javascript:1",
        "blob:http://127.0.0.1/x",
        "unix:/run/x",
        "//127.0.0.1/",
        "",
      ],
    ]
    ok(urls.length >= 200, `${urls.length} addresses`)
    const out = egress()
    const wrong: string[] = []
    for (const url of urls) {
      for (const [how, call] of [
        ["request", out.request(url)],
        ["fetch", out.fetch(url)],
      ] as const) {
        const name = await failureName(call)
        if (name !== "kernel.egress_refused") wrong.push(`${how} ${url}: ${name}`)
      }
    }
    deepEqual(wrong, [])
    equal(touched, 0)
  })

  it("judges a name again when it connects: one that first looked public and then is not gains nothing", async () => {
    const out = egress()
    names["changing.test"] = ["93.184.215.14", "127.0.0.1"]
    await out.check(`http://changing.test:${port}/`)
    equal(await failureName(out.request(`http://changing.test:${port}/`)), "kernel.egress_refused")
    equal(touched, 0)
  })

  it("logs what it refused, with host and reason", async () => {
    lines.length = 0
    await failureName(egress().request("http://localtest.test/secret-path?key=sk-canary-0123456789"))
    deepEqual(lines, [{ host: "localtest.test", reason: "it resolves to a private address" }])
  })

  it("knows public addresses from others", () => {
    for (const address of ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"]) equal(isPublic(address), true, address)
    for (const address of ["", "x", "::1%lo", "2606:4700::1%eth0", "192.0.2.1", "198.18.0.1", "64:ff9b::808:808"]) equal(isPublic(address), false, address)
  })

  it("reaches only the hosts of the manifest", async () => {
    const out = egress({ allow: ["api.example.com", "*.example.org"] })
    for (const host of ["example.com", "api.example.com.test", "xapi.example.com", "example.org", "badexample.org"])
      equal(await failureName(out.check(`https://${host}/`)), "kernel.egress_refused", host)
    for (const host of ["api.example.com", "API.example.com.", "a.example.org", "a.b.example.org"]) await out.check(`https://${host}/`)
  })

  it("is closed inside a transaction", async () => {
    await rejects(egress({ inTransaction: () => true }).request("https://api.example.com/"), /inside a transaction/)
  })
})
