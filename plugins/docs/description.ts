import { hash } from "node:crypto"
import { type BytesAnswer, reply, type Served } from "@plugboard/sdk"

/** A document about what is served, which any origin may read. Written once for each picture of it. */
export function describedBy(describe: (served: Served) => Promise<object>): (served: Served) => Promise<BytesAnswer> {
  const written = new WeakMap<Served, Promise<BytesAnswer>>()
  return function describeServed(served) {
    const known = written.get(served) ?? describe(served).then(asBytes)
    written.set(served, known)
    return known
  }
}

function asBytes(document: object): BytesAnswer {
  const content = Buffer.from(JSON.stringify(document))
  return reply.bytes(content, {
    contentType: "application/json; charset=utf-8",
    etag: hash("sha1", content, "hex"),
    headers: { "access-control-allow-origin": "*" },
  })
}
